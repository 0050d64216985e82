// Package config reads and checks the one configuration file, and documents it.
//
// [Load] finds the file, merges it over [Default], refuses what it does not understand (every problem at once, each with
// file, line and what to do), and makes paths absolute. What it returns is not changed afterwards: a reload loads anew.
//
// The doc comments of the fields of [Config] are the documentation of the keys. [DocMarkdown] and [DocTOML] are made from
// them, so a key cannot be without its text.
package config

//go:generate go test . -run TestConfigureDocIsFresh -update
