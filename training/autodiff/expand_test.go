package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// expressions are the operators that gradients write as expressions before anything else, whose expressions the node tests
// are run with.
var expressions = map[string]func(*op.Builder, *onnx.Node) []*onnx.Value{
	"LSTM": rewrite.LSTM, "GRU": rewrite.GRU, "RNN": rewrite.RNN, "Attention": rewrite.Attention, "RotaryEmbedding": rewrite.RotaryEmbedding,
	"LinearAttention": rewrite.LinearAttention, "CausalConvWithState": rewrite.CausalConvWithState,
	"MeanVarianceNormalization": rewrite.MeanVarianceNormalization,
}

// TestBackendNodeExpressions runs the expressions of operators on ONNX's node tests: they give the outputs recorded there.
func TestBackendNodeExpressions(t *testing.T) {
	dir := os.Getenv("GRAFT_ONNX_TESTDATA")
	if dir == "" {
		dir = "/usr/include/onnx/backend/test/data"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "node", "*", "model.onnx"))
	if len(files) == 0 {
		t.Skipf("no node tests in %s (GRAFT_ONNX_TESTDATA names the folder that holds node/)", dir)
	}
	count := map[string]int{}
	for _, f := range files {
		m, err := onnx.Load(f, onnx.LoadOptions{})
		if err != nil || len(m.Graph.Nodes()) != 1 || expressions[m.Graph.Nodes()[0].Op] == nil {
			continue
		}
		name := m.Graph.Nodes()[0].Op
		if err := runExpression(t, m, filepath.Dir(f)); err != nil {
			t.Errorf("%s: %v", filepath.Base(filepath.Dir(f)), err)
			continue
		}
		count[name]++
	}
	t.Logf("expressions that give what is recorded: %v", count)
	if count["LSTM"] < 4 || count["GRU"] < 4 {
		t.Error("cases are missing")
	}
}

func runExpression(t *testing.T, m *onnx.Model, dir string) error {
	g := m.Graph
	if err := op.InferGraph(g); err != nil {
		return err
	}
	n := g.Nodes()[0]
	if _, err := rewrite.Apply(g, rewrite.Rule{Name: "expression", Op: n.Op, Build: expressions[n.Op]}); err != nil {
		return err
	}
	low, err := op.LowestOpset(g)
	if err != nil {
		return err
	}
	m.SetOpset("", max(low, op.Opset))
	m.IRVersion = 10
	data, err := m.Encode()
	if err != nil {
		return err
	}
	o := runtimetest.Options(t)
	o.Threads = 1
	s, err := runtime.Open(data, o)
	if err != nil {
		return err
	}
	defer s.Close()
	read := func(kind string, i int) (*onnx.Tensor, error) {
		data, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", fmt.Sprintf("%s_%d.pb", kind, i)))
		if err != nil {
			return nil, err
		}
		return onnx.DecodeTensor(data)
	}
	feeds := map[string]*onnx.Tensor{}
	for i, v := range g.Inputs() {
		if feeds[v.Name], err = read("input", i); err != nil {
			return err
		}
		if !slices.ContainsFunc(s.Inputs(), func(p runtime.Port) bool { return p.Name == v.Name }) {
			delete(feeds, v.Name)
		}
	}
	got, err := s.Run(context.Background(), feeds)
	if err != nil {
		return err
	}
	for i, v := range g.Outputs() {
		want, err := read("output", i)
		if err != nil {
			return err
		}
		tolerance := 1e-5
		if want.DType == onnx.Float16 {
			tolerance = 4e-3
		}
		a, _ := got[v.Name].Reals()
		b, _ := want.Reals()
		if fmt.Sprint(got[v.Name].Dims) != fmt.Sprint(want.Dims) || len(a) != len(b) {
			return fmt.Errorf("output %d is %v, recorded %v", i, got[v.Name].Dims, want.Dims)
		}
		for k := range a {
			if a[k] != b[k] && !(math.Abs(a[k]-b[k]) <= tolerance*max(1, math.Abs(b[k]))) {
				return fmt.Errorf("output %d: entry %d is %g, recorded %g", i, k, a[k], b[k])
			}
		}
	}
	return nil
}
