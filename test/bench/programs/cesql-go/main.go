// CESQL beside Sluice's: the expressions of cesql-cases.ts by CloudEvents' own SDK for Go. Reads {texts, events} as JSON
// from stdin, and prints what each expression costs, in ns of an event, as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	cesql "github.com/cloudevents/sdk-go/sql/v2"
	parser "github.com/cloudevents/sdk-go/sql/v2/parser"
	"github.com/cloudevents/sdk-go/v2/event"
)

const rounds = 25
const roundTime = 10 * time.Millisecond

type input struct {
	Texts  []string          `json:"texts"`
	Events []json.RawMessage `json:"events"`
	// How many of the events each expression passes, so that both compute the same.
	Passes []int `json:"passes"`
}

func main() {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		log.Fatal(err)
	}
	events := make([]event.Event, len(in.Events))
	for i, each := range in.Events {
		if err := json.Unmarshal(each, &events[i]); err != nil {
			log.Fatal(err)
		}
	}
	costs := make([]float64, len(in.Texts))
	for i, text := range in.Texts {
		expression, err := parser.Parse(text)
		if err != nil {
			log.Fatalf("%s: %v", text, err)
		}
		if passes := ask(expression, events); passes != in.Passes[i] {
			log.Fatalf("%s passes %d events here, and %d there", text, passes, in.Passes[i])
		}
		costs[i] = nanoseconds(expression, events)
	}
	out, _ := json.Marshal(costs)
	fmt.Println(string(out))
}

func ask(expression cesql.Expression, events []event.Event) int {
	passes := 0
	for _, each := range events {
		if value, err := expression.Evaluate(each); err == nil && value == true {
			passes++
		}
	}
	return passes
}

// The least, over rounds, of what one event costs: what else the machine did is not in it.
func nanoseconds(expression cesql.Expression, events []event.Event) float64 {
	least := 0.0
	for round := 0; round < rounds; round++ {
		began := time.Now()
		count := 0
		for time.Since(began) < roundTime {
			ask(expression, events)
			count += len(events)
		}
		cost := float64(time.Since(began).Nanoseconds()) / float64(count)
		if round == 0 || cost < least {
			least = cost
		}
	}
	return least
}
