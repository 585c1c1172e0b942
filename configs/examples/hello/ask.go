package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"
)

// askLimit is how long an answer or an address may take.
const askLimit = 5 * time.Second

// ask prints what the server at a URL answers.
func ask(url string) error {
	client := http.Client{Timeout: askLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", url, answer.Status)
	}
	return err
}

// lookup prints the addresses of a name, a line each, in order.
func lookup(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		return err
	}
	slices.Sort(addresses)
	for _, a := range addresses {
		fmt.Println(a)
	}
	return nil
}
