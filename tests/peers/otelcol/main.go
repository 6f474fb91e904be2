// An OpenTelemetry collector for the interoperability tests: the OTLP receiver of the OpenTelemetry project, which writes
// what it receives to standard output, one JSON object in each line. The first line has the addresses it listens on.
//
// usage: otelcol [--cert FILE --key FILE [--client-ca FILE]]
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
)

var output sync.Mutex

// Writes one line.
func write(kind string, bytes []byte) {
	output.Lock()
	defer output.Unlock()
	fmt.Printf("{%q:%s}\n", kind, bytes)
}

func main() {
	certificate := flag.String("cert", "", "PEM file of the certificate; empty: no TLS")
	key := flag.String("key", "", "PEM file of its key")
	clients := flag.String("client-ca", "", "PEM file of the authorities of clients, which must show a certificate; empty: any client")
	flag.Parse()
	if err := run(*certificate, *key, *clients); err != nil {
		fmt.Fprintln(os.Stderr, "otelcol:", err)
		os.Exit(1)
	}
}

func run(certificate, key, clients string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	http := map[string]any{"endpoint": address}
	if certificate != "" {
		http["tls"] = map[string]any{"cert_file": certificate, "key_file": key, "client_ca_file": clients}
	}
	settings := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{"http": http}})
	if err := settings.Unmarshal(config); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	telemetry := componenttest.NewNopTelemetrySettings()
	set := receiver.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: telemetry}
	logs, err := consumer.NewLogs(func(_ context.Context, data plog.Logs) error {
		bytes, err := (&plog.JSONMarshaler{}).MarshalLogs(data)
		write("logs", bytes)
		return err
	})
	if err != nil {
		return err
	}
	traces, err := consumer.NewTraces(func(_ context.Context, data ptrace.Traces) error {
		bytes, err := (&ptrace.JSONMarshaler{}).MarshalTraces(data)
		write("traces", bytes)
		return err
	})
	if err != nil {
		return err
	}
	logReceiver, err := factory.CreateLogs(ctx, set, config, logs)
	if err != nil {
		return err
	}
	traceReceiver, err := factory.CreateTraces(ctx, set, config, traces)
	if err != nil {
		return err
	}
	host := componenttest.NewNopHost()
	if err := logReceiver.Start(ctx, host); err != nil {
		return err
	}
	if err := traceReceiver.Start(ctx, host); err != nil {
		return err
	}
	write("listening", []byte(fmt.Sprintf("%q", address)))
	<-ctx.Done()
	end := context.Background()
	if err := logReceiver.Shutdown(end); err != nil {
		return err
	}
	return traceReceiver.Shutdown(end)
}

// The receiver does not say which port the kernel chose, so one that is free is taken.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
