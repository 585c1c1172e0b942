package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	dir := flag.String("traces", "../shared/traces", "the directory of the traces")
	seeds := flag.Int("seeds", 5, "how many orders of arrival a fleet is filled in")
	other := flag.Bool("variants", false, "repeat it on other workloads made from the same traces")
	file := flag.String("json", "", "write the figures to this file, too")
	flag.Parse()

	err := run(*dir, *file, *seeds, *other)
	if errors.Is(err, errNoTraces) {
		fmt.Printf("bench-placement measured nothing: %v\n", err)
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench-placement: %v\n", err)
		os.Exit(1)
	}
}

func run(dir, file string, seeds int, other bool) error {
	t, err := loadTraces(dir)
	if err != nil {
		return err
	}
	found := measure(experimentsOn(t), seeds)
	found.print(os.Stdout)
	if file != "" {
		if err := found.write(file); err != nil {
			return err
		}
	}
	if other {
		for _, v := range variants {
			fmt.Printf("\n%s\n", v.name)
			changed := v.change(t)
			varied := measure(experimentsOn(changed), seeds)
			varied.print(os.Stdout)
		}
	}
	return nil
}
