package rewrite

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
)

// takeBranches puts, in g and the graphs inside its nodes, the branch that is taken in the place of each If whose condition
// is constant. It gives how many there were.
func takeBranches(g *onnx.Graph) (int, error) {
	taken, all := 0, names(nil)
	for range maxGraphs { // branches inside branches
		found, err := takeOnce(g, func() names {
			if all == nil {
				all = namesOf(g)
			}
			return all
		}, 0)
		if taken += found; found == 0 || err != nil {
			return taken, err
		}
	}
	return taken, nil
}

func takeOnce(g *onnx.Graph, all func() names, depth int) (int, error) {
	taken := 0
	if depth > maxGraphs {
		return 0, nil
	}
	replaced := map[*onnx.Value]*onnx.Value{}
	for _, n := range g.Nodes() {
		branch := constantBranch(n)
		if branch == nil {
			for _, sub := range n.Subgraphs() {
				found, err := takeOnce(sub, all, depth+1)
				if taken += found; err != nil {
					return taken, err
				}
			}
			continue
		}
		if err := takeBranch(g, n, branch, all(), replaced); err != nil {
			return taken, fmt.Errorf("%v: %w", n, err)
		}
		taken++
	}
	g.ReplaceHandedOut(replaced)
	return taken, nil
}

// constantBranch is the branch that an If always takes; nil when it depends.
func constantBranch(n *onnx.Node) *onnx.Graph {
	if !n.Is("If") {
		return nil
	}
	condition := op.ConstantOf(n.Input(0))
	if condition == nil {
		condition = op.Known(n.Input(0))
	}
	if condition == nil || condition.DType != onnx.Bool || condition.Check() != nil || condition.Len() != 1 {
		return nil
	}
	name := "else_branch"
	if condition.Data[0] != 0 {
		name = "then_branch"
	}
	return onnx.AttrOr[*onnx.Graph](n, name, nil)
}

func takeBranch(g *onnx.Graph, n *onnx.Node, branch *onnx.Graph, all names, replaced map[*onnx.Value]*onnx.Value) error {
	if len(branch.Inputs()) > 0 || len(branch.Outputs()) < n.NumOutputs() {
		return fmt.Errorf("a branch has %d inputs and %d outputs, the node %d outputs", len(branch.Inputs()), len(branch.Outputs()), n.NumOutputs())
	}
	separateOutputs(branch)
	all.renameShared(branch, n.Name)
	if err := g.Take(branch); err != nil {
		return err
	}
	for i, v := range branch.Outputs() {
		if n.Output(i) == nil {
			continue
		}
		if n.Graph().IsOutput(n.Output(i)) || n.Output(i).Name != "" {
			v.Name = ""
		}
		if err := replaceOutput(n, i, v, replaced); err != nil {
			return err
		}
	}
	return g.Remove(n)
}
