// The program of the pods in the cluster's tests: servers, and clients that count what failed. Clients print one JSON
// object as their last line.
//
//	app serve                         HTTP on 8080 and a TCP line echo on 9090; both name the pod
//	app waypoint ADDRESS              accepts PROXY protocol 2 on 15088 and forwards each connection to ADDRESS
//	app once ADDRESS                  one question over a connection of its own
//	app dial ADDRESS SECONDS WORKERS  a connection for each question; nothing is repeated
//	app hold ADDRESS SECONDS COUNT MS connections that stay open and exchange a line every MS milliseconds
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fail("no command")
	}
	switch arguments := os.Args[2:]; os.Args[1] {
	case "serve":
		serve()
	case "waypoint":
		waypoint(argument(arguments, 0))
	case "once":
		report(once(argument(arguments, 0)))
	case "dial":
		report(dial(argument(arguments, 0), seconds(arguments, 1), number(arguments, 2)))
	case "hold":
		report(hold(argument(arguments, 0), seconds(arguments, 1), number(arguments, 2), number(arguments, 3)))
	default:
		fail("no such command: " + os.Args[1])
	}
}

// Counts is what a client has to say: how many succeeded, and how many failed for each reason.
type Counts struct {
	Good   int            `json:"good"`
	Failed map[string]int `json:"failed"`
	Answer string         `json:"answer,omitempty"`
}

func report(counts Counts) {
	text, _ := json.Marshal(counts)
	fmt.Println(string(text))
	if len(counts.Failed) > 0 {
		os.Exit(1)
	}
}

func argument(arguments []string, at int) string {
	if at >= len(arguments) {
		fail(fmt.Sprintf("argument %d is missing", at+1))
	}
	return arguments[at]
}

func number(arguments []string, at int) int {
	n, err := strconv.Atoi(argument(arguments, at))
	if err != nil {
		fail(err.Error())
	}
	return n
}

func seconds(arguments []string, at int) time.Duration {
	return time.Duration(number(arguments, at)) * time.Second
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "app:", why)
	os.Exit(2)
}
