package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// A run is one line of the results that popload printed, as far as the table needs it.
type run struct {
	Target     string           `json:"target"`
	Spec       string           `json:"spec"`
	Round      int              `json:"round"`
	OpsPerS    float64          `json:"ops_per_s"`
	CPUPerOp   float64          `json:"server_cpu_ms_per_op"`
	CPUPerGB   float64          `json:"server_cpu_s_per_gb"`
	CPUPerKMsg float64          `json:"server_cpu_ms_per_1000_messages"`
	Errors     int64            `json:"errors"`
	ErrorTexts map[string]int64 `json:"error_texts"`
	Idle       *struct {
		PSS float64 `json:"pss_kib_per_connection"`
	} `json:"idle"`
	Held *struct {
		Alone float64 `json:"alone_p99_ms"`
		Among float64 `json:"among_p99_ms"`
		PSS   float64 `json:"pss_kib_per_connection"`
	} `json:"held"`
	Delete *struct {
		Quit    float64 `json:"quit_ms"`
		QuitCPU float64 `json:"quit_server_cpu_ms"`
	} `json:"delete"`
}

// results are the runs of a file, by spec and target, and what the first line says of the machine and the versions.
type results struct {
	meta map[string]string
	runs map[string]map[string][]run
}

// maxLine bounds a line of the results; one of popload has about 1,500 octets.
const maxLine = 1 << 20

func read(r io.Reader) (results, error) {
	res := results{meta: map[string]string{}, runs: map[string]map[string][]run{}}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	for n := 1; sc.Scan(); n++ {
		var line struct {
			Meta map[string]string `json:"meta"`
			run
		}
		if err := json.Unmarshal(sc.Bytes(), &line); err != nil {
			return res, fmt.Errorf("line %d: %w", n, err)
		}
		if line.Meta != nil {
			res.meta = line.Meta
			continue
		}
		if line.Spec == "" || line.Target == "" {
			return res, fmt.Errorf("line %d has no spec or no target", n)
		}
		byTarget := res.runs[line.Spec]
		if byTarget == nil {
			byTarget = map[string][]run{}
			res.runs[line.Spec] = byTarget
		}
		byTarget[line.Target] = append(byTarget[line.Target], line.run)
	}
	return res, sc.Err()
}

// of returns what a target did at a spec, in a round (0: all).
func (res results) of(spec, target string, round int) (found []run) {
	for _, r := range res.runs[spec][target] {
		if round == 0 || r.Round == round {
			found = append(found, r)
		}
	}
	return found
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}
