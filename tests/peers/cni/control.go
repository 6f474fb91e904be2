package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// How long the test may take to connect to the control socket.
const untilControl = time.Minute

// A command: one line of JSON.
type command struct {
	Do    string `json:"do"`    // start, add, remove, pods
	Pods  []pod  `json:"pods"`  // of start
	Pod   pod    `json:"pod"`   // of add and remove
	Ended bool   `json:"ended"` // of remove
}

// Its answer: one line of JSON, too.
type answer struct {
	Pods  map[string]bool `json:"pods,omitempty"`
	Error string          `json:"error,omitempty"`
}

func listenForCommands(path string) (*net.UnixListener, error) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return listener, listener.SetDeadline(time.Now().Add(untilControl))
}

// Serves one controller to its end.
func obey(listener *net.UnixListener, a *agent) error {
	connection, err := listener.Accept()
	if err != nil {
		return fmt.Errorf("nobody took control: %w", err)
	}
	for in, out := bufio.NewReader(connection), json.NewEncoder(connection); ; {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil
		}
		if err := out.Encode(execute(line, a)); err != nil {
			return nil
		}
	}
}

func execute(line []byte, a *agent) answer {
	var c command
	if err := json.Unmarshal(line, &c); err != nil {
		return told(err)
	}
	switch c.Do {
	case "start":
		return told(a.start(c.Pods))
	case "add":
		return told(a.add(c.Pod))
	case "remove":
		return told(a.remove(c.Pod, c.Ended))
	case "pods":
		return answer{Pods: a.pods()}
	default:
		return told(fmt.Errorf("no such command: %q", c.Do))
	}
}

func told(err error) answer {
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{}
}
