// A package with an assembly file may declare functions that have no body, as those of unexported.go.
