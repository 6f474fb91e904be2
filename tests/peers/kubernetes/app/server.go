package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

func serve() {
	name, _ := os.Hostname()
	go accept(":9090", func(connection net.Conn) {
		lines := bufio.NewScanner(connection)
		for lines.Scan() {
			fmt.Fprintf(connection, "%s %s\n", name, lines.Text())
		}
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s called by %s\n", name, r.RemoteAddr)
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}

func accept(address string, handle func(net.Conn)) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			continue
		}
		go func() {
			defer connection.Close()
			handle(connection)
		}()
	}
}

// waypoint is the application behind a node proxy that ends HBONE for it (istio.io's binding "PROXY/15088"): each
// connection begins with a PROXY protocol header, and goes on to target.
func waypoint(target string) {
	log.Printf("waypoint for %s", target)
	accept(":15088", func(connection net.Conn) {
		identity, err := skipHeader(connection)
		if err != nil {
			log.Printf("no PROXY header: %v", err)
			return
		}
		upstream, err := net.DialTimeout("tcp", target, limit)
		if err != nil {
			log.Printf("%s: %v", target, err)
			return
		}
		defer upstream.Close()
		log.Printf("forwarding for %s", identity)
		go func() {
			io.Copy(upstream, connection)
			upstream.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(connection, upstream)
	})
}

// skipHeader reads a header of PROXY protocol version 2 and returns the caller's identity, which Istio puts into a TLV of
// type 0xD0.
func skipHeader(connection net.Conn) (string, error) {
	fixed := make([]byte, 16)
	if _, err := io.ReadFull(connection, fixed); err != nil {
		return "", err
	}
	rest := make([]byte, binary.BigEndian.Uint16(fixed[14:]))
	if _, err := io.ReadFull(connection, rest); err != nil {
		return "", err
	}
	addresses := 12
	if fixed[13]>>4 == 2 {
		addresses = 36
	}
	for at := addresses; at+3 <= len(rest); {
		length := int(binary.BigEndian.Uint16(rest[at+1:]))
		if rest[at] == 0xD0 && at+3+length <= len(rest) {
			return string(rest[at+3 : at+3+length]), nil
		}
		at += 3 + length
	}
	return "nobody", nil
}
