package main

import (
	"fmt"
	"log"
	"os"
)

// Stands in for the test that istio's helpers believe they run in. A failure ends the process, and so does its end.
type failer struct{}

func (*failer) Fail()                             { log.Panic("istio's test code failed") }
func (*failer) FailNow()                          { log.Panic("istio's test code failed") }
func (*failer) Fatal(args ...any)                 { log.Panic(args...) }
func (*failer) Fatalf(format string, args ...any) { log.Panicf(format, args...) }
func (*failer) Log(args ...any)                   { log.Print(args...) }
func (*failer) Logf(format string, args ...any)   { log.Printf(format, args...) }
func (*failer) Helper()                           {}
func (*failer) Skip(args ...any) {
	log.Panic("istio's test code wants to skip: " + fmt.Sprint(args...))
}

// Never run: the kernel cleans up after a process.
func (*failer) Cleanup(func()) {}

func (*failer) TempDir() string {
	folder, err := os.MkdirTemp("", "istiod-")
	if err != nil {
		log.Panic(err)
	}
	return folder
}
