package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

// settings are what the program is told.
type settings struct {
	traces   string
	file     string
	seeds    int
	runs     int
	variants bool
	only     string
}

func main() {
	var s settings
	flag.StringVar(&s.traces, "traces", "../shared/traces", "the directory of the traces")
	flag.IntVar(&s.seeds, "seeds", 5, "how many orders of arrival a fleet is filled in")
	flag.IntVar(&s.runs, "runs", 5, "how often a speed is measured")
	flag.BoolVar(&s.variants, "variants", false, "repeat A to C on other workloads made from the same traces")
	flag.StringVar(&s.only, "only", "", "the figures to measure, separated by commas: A, B, C, D, E, F; A to C are one")
	flag.StringVar(&s.file, "json", "", "write the figures to this file, too")
	flag.Parse()

	if err := run(&s); err != nil {
		fmt.Fprintf(os.Stderr, "bench-placement: %v\n", err)
		os.Exit(1)
	}
}

// timed are the figures that need no traces.
var timed = []struct {
	letter string
	take   func(runs int) ([]figure, error)
}{{"D", speed}, {"E", assigned}, {"F", planned}}

func run(s *settings) error {
	wanted, err := s.wanted()
	if err != nil {
		return err
	}
	all := map[string]any{}
	if wanted["A"] || wanted["B"] || wanted["C"] {
		err := onTraces(s, all)
		if errors.Is(err, errNoTraces) {
			fmt.Printf("A, B and C are not measured: %v\n", err)
		} else if err != nil {
			return err
		}
	}
	var times []figure
	for _, t := range timed {
		if wanted[t.letter] {
			some, err := t.take(s.runs)
			if err != nil {
				return fmt.Errorf("%s: %w", t.letter, err)
			}
			times = append(times, some...)
		}
	}
	printTimes(os.Stdout, times)
	nameTimes(all, times)
	if s.file == "" {
		return nil
	}
	return write(s.file, all)
}

// wanted are the letters of the figures to measure.
func (s *settings) wanted() (map[string]bool, error) {
	const letters = "A,B,C,D,E,F"
	given := s.only
	if given == "" {
		given = letters
	}
	wanted := map[string]bool{}
	for letter := range strings.SplitSeq(given, ",") {
		if len(letter) != 1 || !strings.Contains(letters, letter) {
			return nil, fmt.Errorf("-only: there is no figure %q; there are %s", letter, letters)
		}
		wanted[letter] = true
	}
	return wanted, nil
}

// onTraces measures how well hosts are used.
func onTraces(s *settings, all map[string]any) error {
	t, err := loadTraces(s.traces)
	if err != nil {
		return err
	}
	found, err := measure(experimentsOn(t), s.seeds)
	if err != nil {
		return err
	}
	found.print(os.Stdout)
	found.name(all)
	if !s.variants {
		return nil
	}
	for _, v := range variants {
		fmt.Printf("\n%s\n", v.name)
		varied, err := measure(experimentsOn(v.change(t)), s.seeds)
		if err != nil {
			return err
		}
		varied.print(os.Stdout)
	}
	return nil
}
