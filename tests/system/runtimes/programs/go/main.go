// The actions of the conformance suite, in Go on aws-lambda-go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

var count int

type event struct {
	Do      string `json:"do"`
	N       int    `json:"n"`
	Status  int    `json:"status"`
	Size    int    `json:"size"`
	Seconds int    `json:"seconds"`
}

func handle(ctx context.Context, raw json.RawMessage) (any, error) {
	count++
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	switch e.Do {
	case "return":
		return map[string]any{"count": count, "event": raw}, nil
	case "work":
		return map[string]any{"n": e.N}, nil
	case "slow":
		time.Sleep(30 * time.Second)
	case "print":
		fmt.Println("printed")
	case "context":
		return describe(ctx), nil
	case "fail":
		return nil, errors.New("on purpose")
	case "exit":
		os.Exit(e.Status)
	case "die":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "keep":
		os.WriteFile("/tmp/kept", []byte("kept"), 0o644)
		time.Sleep(30 * time.Second)
	case "branch":
		deaf := fmt.Sprintf("trap '' TERM; exec setsid sleep %d", e.Seconds)
		exec.Command("sh", "-c", deaf).Start()
		time.Sleep(30 * time.Second)
	case "look":
		_, err := os.Stat("/tmp/kept")
		return map[string]any{"kept": err == nil, "count": count}, nil
	case "allocate":
		var held [][]byte
		for {
			piece := make([]byte, 16<<20)
			for i := range piece {
				piece[i] = 1
			}
			held = append(held, piece)
		}
	case "loop":
		return func() {}, nil
	case "large":
		return strings.Repeat("x", e.Size), nil
	case "variables":
		return variables(), nil
	}
	return nil, nil
}

func describe(ctx context.Context) any {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return map[string]any{
		"id":        lc.AwsRequestID,
		"name":      lambdacontext.FunctionName,
		"version":   lambdacontext.FunctionVersion,
		"memory":    lambdacontext.MemoryLimitInMB,
		"arn":       lc.InvokedFunctionArn,
		"group":     lambdacontext.LogGroupName,
		"stream":    lambdacontext.LogStreamName,
		"remaining": time.Until(deadline).Milliseconds(),
		"custom":    lc.ClientContext.Custom,
	}
}

func variables() any {
	told := map[string]string{}
	for _, each := range os.Environ() {
		name, value, _ := strings.Cut(each, "=")
		told[name] = value
	}
	told["cwd"], _ = os.Getwd()
	return told
}

func main() {
	lambda.Start(handle)
}
