package training_test

import (
	"cmp"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training"
)

// loopOf makes a model that takes k steps in a Loop, whose carried values are the step's state, on the same batch: the alternative
// to a State.
func loopOf(t testing.TB, s *training.Step, state map[string]*onnx.Tensor, k int64) *onnx.Model {
	t.Helper()
	m := s.Model.Clone()
	body := m.Graph
	outer := onnx.NewGraph("steps")
	b := op.NewBuilder(outer)
	inner := op.NewBuilder(body)
	round, going := body.AddInput("", onnx.TypeOf(onnx.Int64)), body.AddInput("", onnx.TypeOf(onnx.Bool))
	ins := []*onnx.Value{round, going}
	outs := []*onnx.Value{going}
	var carried []*onnx.Value
	for _, v := range s.Model.Clone().Graph.Inputs() {
		in := body.Lookup(v.Name)
		given := outer.AddInput(v.Name, in.Type)
		if state[v.Name] != nil {
			in.Name = ""
			ins, outs, carried = append(ins, in), append(outs, body.Lookup(v.Name+".next")), append(carried, given)
			continue
		}
		by := given
		if v.Name == training.InputStep {
			by = inner.Add(given, round)
		}
		if err := body.ReplaceUses(in, by); err != nil {
			t.Fatal(err)
		}
		if v.Name == training.InputStep { // the sum's own use
			by.Producer().SetInput(0, given)
		}
	}
	loss := body.Lookup(training.OutputLoss)
	body.SetInputs(ins...)
	body.SetOutputs(append(outs, loss)...)
	for _, v := range body.Outputs() {
		v.Name = ""
	}
	ends := b.Loop(b.Const(onnx.Scalar(k)), b.Const(onnx.Scalar(true)), carried, body)
	for i, v := range carried {
		outer.AddOutput(ends[i], v.Name+".next")
	}
	outer.AddOutput(ends[len(carried)], training.OutputLoss)
	if b.Err() != nil || inner.Err() != nil {
		t.Fatal(b.Err(), inner.Err())
	}
	m.Graph = outer
	outer.AssignNames()
	return m
}

// BenchmarkPeersLoop is a step of each of these models when $GRAFT_PEER_LOOP (10) of them are taken by a Loop in each call, and when a State takes
// them one by one.
func BenchmarkPeersLoop(b *testing.B) {
	k, err := strconv.ParseInt(cmp.Or(os.Getenv("GRAFT_PEER_LOOP"), "10"), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range peerModels(b) {
		var first []float32 // losses of the State's first call
		for _, of := range []struct {
			name  string
			steps int64
		}{{"state", 1}, {"loop", k}} {
			b.Run(strings.TrimSuffix(filepath.Base(file), ".onnx")+"/"+of.name, func(b *testing.B) {
				options := runtimetest.Options(b)
				a, feeds := peerArtifacts(b, file, cmp.Or(os.Getenv("GRAFT_PEER_FORMS"), options.Provider))
				state, err := training.StateOf(a.Fused, a.Start())
				if err != nil {
					b.Fatal(err)
				}
				m := a.Fused.Model
				if of.steps > 1 {
					m = loopOf(b, a.Fused, state, of.steps)
				}
				s, err := runtime.OpenSteps(encoded(b, m), options)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				var links []runtime.Link
				for _, name := range slices.Sorted(maps.Keys(state)) {
					links = append(links, runtime.Link{Output: name + ".next", Input: name})
				}
				st, err := s.NewState(state, links, training.OutputLoss)
				if err != nil {
					b.Fatal(err)
				}
				defer st.Close()
				in := maps.Clone(feeds)
				count := onnx.NewTensor(onnx.Int64, 1)
				in[training.InputRate], in[training.InputStep] = onnx.FromSlice([]float32{1e-3}), count
				count.Int64s()[0] = 1
				var times []float64
				var losses []float32
				call := func() {
					for range k / of.steps {
						if err := st.Step(b.Context(), in); err != nil {
							b.Fatal(err)
						}
						loss, err := st.Output(training.OutputLoss)
						if err != nil {
							b.Fatal(err)
						}
						losses = append(losses, loss.Float32s()...)
						count.Int64s()[0] += of.steps
					}
				}
				call()
				for i, loss := range losses {
					if first != nil && math.Abs(float64(loss-first[i])) > 1e-3*float64(max(first[i], first[0])) {
						b.Errorf("step %d: loss %g by a Loop, %g by a State", i+1, loss, first[i])
					}
				}
				first = slices.Clone(losses)
				for b.Loop() {
					begun := time.Now()
					call()
					times = append(times, time.Since(begun).Seconds()*1000/float64(k))
				}
				slices.Sort(times)
				b.ReportMetric(times[len(times)/2], "ms/step")
			})
		}
	}
}
