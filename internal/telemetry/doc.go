// Package telemetry is what operators see of a running Postamt: the log, the metrics, and the page that serves them.
//
// No secret and no content of a message gets into the log: [NewLog] replaces attributes whose names say that they hold
// one, takes no structs, maps or octets, and cuts long values. No metric is labelled by user or address, and every label
// takes its values from a list fixed here, so that clients cannot make the page grow.
package telemetry
