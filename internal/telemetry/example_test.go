package telemetry_test

import (
	"errors"
	"os"

	"github.com/postamt/postamt/internal/telemetry"
)

func ExampleNewLog() {
	log := telemetry.NewLog(os.Stdout, telemetry.LogOptions{Format: "text", Journal: true})
	log.Info("signed in", "user", "kim", "password", "hunter2")
	log.Error("cannot store", "err", errors.New("no space left"))
	// Output:
	// <6>level=INFO msg="signed in" user=kim password=[secret]
	// <3>level=ERROR msg="cannot store" err="no space left"
}
