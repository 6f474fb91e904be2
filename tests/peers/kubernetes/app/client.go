package main

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"
)

// limit ends a step that takes too long, on a machine that may be busy.
const limit = 60 * time.Second

// Ports and addresses differ from one failure to the next of the same kind.
var endpoints = regexp.MustCompile(` \S+:\d+(->\S+)?`)

// ask opens a connection, sends a line and returns the line that comes back.
func ask(address string) (string, error) {
	connection, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(limit))
	if _, err := fmt.Fprintln(connection, "question"); err != nil {
		return "", err
	}
	return bufio.NewReader(connection).ReadString('\n')
}

func once(address string) Counts {
	answer, err := ask(address)
	if err != nil {
		return Counts{Failed: map[string]int{err.Error(): 1}}
	}
	return Counts{Good: 1, Failed: map[string]int{}, Answer: strings.TrimSpace(answer)}
}

// tally counts from many goroutines.
type tally struct {
	lock   sync.Mutex
	counts Counts
}

func (t *tally) add(err error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if err == nil {
		t.counts.Good++
		return
	}
	t.counts.Failed[endpoints.ReplaceAllString(err.Error(), "")]++
}

func inParallel(workers int, work func(*tally)) Counts {
	all := tally{counts: Counts{Failed: map[string]int{}}}
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() { work(&all) })
	}
	wait.Wait()
	return all.counts
}

func dial(address string, duration time.Duration, workers int) Counts {
	end := time.Now().Add(duration)
	return inParallel(workers, func(all *tally) {
		for time.Now().Before(end) {
			_, err := ask(address)
			all.add(err)
			time.Sleep(20 * time.Millisecond)
		}
	})
}

func hold(address string, duration time.Duration, count, milliseconds int) Counts {
	end, pause := time.Now().Add(duration), time.Duration(milliseconds)*time.Millisecond
	return inParallel(count, func(all *tally) { all.add(exchange(address, end, pause)) })
}

// exchange keeps one connection until end, and sends a line after each pause, at least one.
func exchange(address string, end time.Time, pause time.Duration) error {
	connection, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		return err
	}
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for first := true; first || time.Now().Before(end); first = false {
		connection.SetDeadline(time.Now().Add(limit))
		if _, err := fmt.Fprintln(connection, "line"); err != nil {
			return err
		}
		if _, err := reader.ReadString('\n'); err != nil {
			return err
		}
		time.Sleep(pause)
	}
	return nil
}
