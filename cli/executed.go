package cli

import (
	"slices"
	"sync"

	"graft/runtime"
)

// executed says in the document of a verb where models ran. It is empty when none did.
type executed struct {
	Provider string             `json:"provider,omitempty"` // full name
	Fallback []runtime.Fallback `json:"fallback,omitempty"` // operators that ran on the CPU although another provider was asked for
}

// placements gathers where the models of a run run.
type placements struct {
	mu sync.Mutex
	executed
}

// executed is what has been gathered so far.
func (c *call) executed() executed {
	c.placed.mu.Lock()
	defer c.placed.mu.Unlock()
	return executed{c.placed.Provider, slices.Clone(c.placed.Fallback)}
}

// place takes up where a session's nodes run, and says which operators the provider leaves to the CPU: each operator once,
// however many models of the run have it.
func (c *call) place(p runtime.Placement) {
	c.placed.mu.Lock()
	defer c.placed.mu.Unlock()
	c.placed.Provider = p.Provider
	var more []runtime.Fallback
	for _, f := range p.Fallback {
		i := slices.IndexFunc(c.placed.Fallback, func(known runtime.Fallback) bool { return known.Operator == f.Operator })
		if i < 0 {
			more = append(more, f)
			continue
		}
		for _, name := range f.Nodes {
			if !slices.Contains(c.placed.Fallback[i].Nodes, name) {
				c.placed.Fallback[i].Nodes = append(c.placed.Fallback[i].Nodes, name)
			}
		}
	}
	c.placed.Fallback = append(c.placed.Fallback, more...)
	if len(more) > 0 {
		c.Say("%s leaves operators to the CPU: %s", p.Provider, runtime.FallbackText(more))
	}
	if p.Chosen > 0 {
		c.Detail("%s: ONNX Runtime keeps %s of arithmetic on shapes on the CPU", p.Provider, counted(p.Chosen, "node"))
	}
}

// on is ", CUDAExecutionProvider" where models ran on another provider than the CPU.
func (e executed) on() string {
	if e.Provider == "" || e.Provider == runtime.CPU {
		return ""
	}
	return ", " + e.Provider
}
