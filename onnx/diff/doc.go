// Package diff says what differs between two models without running them: nodes that one has and the other has not,
// attributes, wiring, weights with the norm of their difference, operator sets, inputs, outputs and metadata. Nodes are
// matched by what they compute and by name, so that a model in which only names differ is known for what it is.
//
//	r := diff.Models(a, b)
//	if !r.Equal {
//		for _, n := range r.Changed {
//			fmt.Println(n.A, n.B, n.Changes)
//		}
//	}
package diff
