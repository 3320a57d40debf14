package optim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training/optim"
)

// PyTorch's single-tensor updates, in float64: next p from p, g and the state, which they change.
type reference func(p, g float64, state []float64, lr float64, t int) float64

func sgd(momentum float64, nesterov bool, decay float64) reference {
	return func(p, g float64, state []float64, lr float64, _ int) float64 {
		g += decay * p
		if momentum == 0 {
			return p - lr*g
		}
		state[0] = momentum*state[0] + g
		if nesterov {
			return p - lr*(g+momentum*state[0])
		}
		return p - lr*state[0]
	}
}

func adam(b1, b2, epsilon, decay float64, decoupled bool) reference {
	return func(p, g float64, state []float64, lr float64, t int) float64 {
		if decoupled {
			p *= 1 - lr*decay
		} else {
			g += decay * p
		}
		state[0] += (1 - b1) * (g - state[0])
		state[1] = b2*state[1] + (1-b2)*g*g
		c1, c2 := 1-math.Pow(b1, float64(t)), 1-math.Pow(b2, float64(t))
		return p - lr/c1*state[0]/(math.Sqrt(state[1])/math.Sqrt(c2)+epsilon)
	}
}

func rmsprop(alpha, epsilon, momentum, decay float64) reference {
	return func(p, g float64, state []float64, lr float64, _ int) float64 {
		g += decay * p
		state[0] = alpha*state[0] + (1-alpha)*g*g
		move := g / (math.Sqrt(state[0]) + epsilon)
		if momentum != 0 {
			state[1] = momentum*state[1] + move
			move = state[1]
		}
		return p - lr*move
	}
}

func adagrad(epsilon, lrDecay, decay float64) reference {
	return func(p, g float64, state []float64, lr float64, t int) float64 {
		g += decay * p
		state[0] += g * g
		return p - lr/(1+float64(t-1)*lrDecay)*g/(math.Sqrt(state[0])+epsilon)
	}
}

// ONNX Runtime's AdamWOptimizer with adam_mode 1.
func adamLate(b1, b2, epsilon, decay float64) reference {
	return func(p, g float64, state []float64, lr float64, t int) float64 {
		state[0] = b1*state[0] + (1-b1)*g
		state[1] = b2*state[1] + (1-b2)*g*g
		p -= lr * math.Sqrt(1-math.Pow(b2, float64(t))) / (1 - math.Pow(b1, float64(t))) * state[0] / (math.Sqrt(state[1]) + epsilon)
		return p - lr*decay*p
	}
}

// Chen et al. 2023, algorithm 2.
func lion(b1, b2, decay float64) reference {
	return func(p, g float64, state []float64, lr float64, _ int) float64 {
		c := b1*state[0] + (1-b1)*g
		state[0] = b2*state[0] + (1-b2)*g
		sign := 0.0
		if c != 0 {
			sign = math.Copysign(1, c)
		}
		return p - lr*(sign+decay*p)
	}
}

// made is an optimizer of the table.
func made(t *testing.T, name string, settings map[string]float64) optim.Optimizer {
	t.Helper()
	o, err := optim.New(name, settings)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestUpdates(t *testing.T) {
	for i, c := range []struct {
		o    optim.Optimizer
		want reference
	}{
		{optim.SGD(optim.SGDConfig{}), sgd(0, false, 0)},
		{optim.SGD(optim.SGDConfig{WeightDecay: 0.1}), sgd(0, false, 0.1)},
		{optim.SGD(optim.SGDConfig{Momentum: 0.9}), sgd(0.9, false, 0)},
		{optim.SGD(optim.SGDConfig{Momentum: 0.9, Nesterov: true, WeightDecay: 0.01}), sgd(0.9, true, 0.01)},
		{optim.Adam(optim.AdamConfig{}), adam(0.9, 0.999, 1e-8, 0, false)},
		{optim.Adam(optim.AdamConfig{Beta1: 0.8, Beta2: 0.99, Epsilon: 1e-3, WeightDecay: 0.1}), adam(0.8, 0.99, 1e-3, 0.1, false)},
		{optim.AdamW(optim.AdamConfig{WeightDecay: 0.1}), adam(0.9, 0.999, 1e-8, 0.1, true)},
		{made(t, "heavy-ball", nil), sgd(0.9, false, 0)},
		{made(t, "nesterov", map[string]float64{"momentum": 0.75}), sgd(0.75, true, 0)},
		{made(t, "adam", map[string]float64{"beta1": 0}), adam(0, 0.999, 1e-8, 0, false)},
		{made(t, "adamw-late", nil), adamLate(0.9, 0.999, 1e-6, 0)},
		{made(t, "adamw-late", map[string]float64{"weight-decay": 0.1, "eps": 1e-3}), adamLate(0.9, 0.999, 1e-3, 0.1)},
		{made(t, "rmsprop", nil), rmsprop(0.99, 1e-8, 0, 0)},
		{made(t, "rmsprop", map[string]float64{"momentum": 0.5, "alpha": 0.9, "eps": 1e-3, "weight-decay": 0.1}), rmsprop(0.9, 1e-3, 0.5, 0.1)},
		{made(t, "adagrad", nil), adagrad(1e-10, 0, 0)},
		{made(t, "adagrad", map[string]float64{"lr-decay": 0.5, "eps": 1e-3, "weight-decay": 0.1}), adagrad(1e-3, 0.5, 0.1)},
		{made(t, "lion", nil), lion(0.9, 0.99, 0)},
		{made(t, "lion", map[string]float64{"beta1": 0.5, "beta2": 0.75, "weight-decay": 0.5}), lion(0.5, 0.75, 0.5)},
	} {
		t.Run(fmt.Sprint(i, c.o.Name), func(t *testing.T) {
			for _, d := range []onnx.DataType{onnx.Float, onnx.Double} {
				run(t, c.o, c.want, d)
			}
		})
	}
}

// stepper opens a graph of one update of n numbers.
func stepper(t *testing.T, o optim.Optimizer, d onnx.DataType, n int64) *runtime.Session {
	t.Helper()
	g := onnx.NewGraph("step")
	p, grad := g.AddInput("p", onnx.TypeOf(d, n)), g.AddInput("g", onnx.TypeOf(d, n))
	rate, step := g.AddInput("rate", onnx.TypeOf(onnx.Float, 1)), g.AddInput("step", onnx.TypeOf(onnx.Int64, 1))
	var slots []*onnx.Value
	for _, s := range o.Slots {
		slots = append(slots, g.AddInput(s, p.Type))
	}
	b := op.NewBuilder(g)
	next, nextSlots := o.Update(b, p, grad, slots, rate, step)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	if len(nextSlots) != len(o.Slots) {
		t.Fatalf("%d next slots for %v", len(nextSlots), o.Slots)
	}
	g.AddOutput(next, "p.next")
	for i, s := range nextSlots {
		g.AddOutput(s, o.Slots[i]+".next")
	}
	return runtimetest.Open(t, &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}, runtimetest.Options(t))
}

func run(t *testing.T, o optim.Optimizer, want reference, d onnx.DataType) {
	t.Helper()
	const n = 5
	session := stepper(t, o, d, n)

	set := func(v []float64) *onnx.Tensor {
		if d == onnx.Double {
			return onnx.FromSlice(v)
		}
		out := onnx.NewTensor(d, int64(len(v)))
		for i, x := range v {
			out.Float32s()[i] = float32(x)
		}
		return out
	}
	at := func(t *onnx.Tensor, i int) float64 {
		if d == onnx.Double {
			return onnx.View[float64](t)[i]
		}
		return float64(t.Float32s()[i])
	}
	const lr = 0.015625 // exact in float32
	ps := []float64{1, -2, 0.5, 0, 3}
	state := make([][]float64, n)
	for i := range state {
		state[i] = make([]float64, 2)
	}
	feeds := map[string]*onnx.Tensor{"p": set(ps), "rate": onnx.FromSlice([]float32{lr})}
	for _, s := range o.Slots {
		feeds[s] = set(make([]float64, n))
	}
	tolerance := 2e-6
	if d == onnx.Double {
		tolerance = 1e-13
	}
	for k := 1; k <= 7; k++ {
		gs := []float64{0.5, -0.125 * float64(k), 1e-4, 0, -8}
		feeds["g"] = set(gs)
		if takes(session, "step") {
			feeds["step"] = onnx.FromSlice([]int64{int64(k)})
		}
		out, err := session.Run(context.Background(), feeds)
		if err != nil {
			t.Fatal(err)
		}
		for i := range ps {
			ps[i] = want(ps[i], gs[i], state[i], lr, k)
			if got := at(out["p.next"], i); math.Abs(got-ps[i]) > tolerance*(1+math.Abs(ps[i])) {
				t.Errorf("%v, step %d: p[%d] is %v, want %v", d, k, i, got, ps[i])
			}
			for j, s := range o.Slots {
				if got := at(out[s+".next"], i); math.Abs(got-state[i][j]) > tolerance*(1+math.Abs(state[i][j])) {
					t.Errorf("%v, step %d: %s[%d] is %v, want %v", d, k, s, i, got, state[i][j])
				}
			}
		}
		feeds["p"] = out["p.next"]
		for _, s := range o.Slots {
			feeds[s] = out[s+".next"]
		}
	}
}

// takes reports whether a session has the input.
func takes(s *runtime.Session, name string) bool {
	return slices.ContainsFunc(s.Inputs(), func(p runtime.Port) bool { return p.Name == name })
}

// testdata/goldens.py makes the file with torch.optim, in float64.
func TestPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		LR    float64
		Cases []struct {
			Optimizer string
			Settings  map[string]float64
			After     [][]float64
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range golden.Cases {
		t.Run(fmt.Sprint(c.Optimizer, c.Settings), func(t *testing.T) {
			seen[c.Optimizer] = true
			o := made(t, c.Optimizer, c.Settings)
			session := stepper(t, o, onnx.Double, 5)
			feeds := map[string]*onnx.Tensor{"p": onnx.FromSlice([]float64{1, -2, 0.5, 0, 3}), "rate": onnx.FromSlice([]float32{float32(golden.LR)})}
			for _, s := range o.Slots {
				feeds[s] = onnx.NewTensor(onnx.Double, 5)
			}
			for i, want := range c.After {
				k := float64(i + 1)
				feeds["g"] = onnx.FromSlice([]float64{0.5, -0.125 * k, 1e-4, 0, -8 + 3*k})
				if takes(session, "step") {
					feeds["step"] = onnx.FromSlice([]int64{int64(i + 1)})
				}
				out, err := session.Run(t.Context(), feeds)
				if err != nil {
					t.Fatal(err)
				}
				for j, w := range want {
					if got := onnx.View[float64](out["p.next"])[j]; math.Abs(got-w) > 1e-13*(1+math.Abs(w)) {
						t.Errorf("step %d: p[%d] is %v, PyTorch's %v", i+1, j, got, w)
					}
				}
				feeds["p"] = out["p.next"]
				for _, s := range o.Slots {
					feeds[s] = out[s+".next"]
				}
			}
		})
	}
	for _, row := range optim.Catalog {
		if !seen[row.Name] && row.Name != "lion" && row.Name != "adamw-late" { // torch.optim has neither
			t.Errorf("no golden of %s", row.Name)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, o := range optim.Catalog {
		if got, err := optim.Lookup(o.Name); err != nil || got.Name != o.Name {
			t.Errorf("Lookup(%q) = %q, %v", o.Name, got.Name, err)
		}
	}
	if _, err := optim.Lookup("magic"); err == nil || !strings.Contains(err.Error(), "sgd, heavy-ball, nesterov, adam, adamw, adamw-late, rmsprop") {
		t.Errorf("error %v does not list the names", err)
	}
	for want, settings := range map[string]map[string]float64{
		`no setting "beta1": there are momentum, weight-decay`: {"beta1": 0.5},
		"momentum is 1: wants a number in [0, 1)":              {"momentum": 1},
	} {
		if _, err := optim.New("sgd", settings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestScaled: every element moves as by a rate of its own, and the slots are those of one.
func TestScaled(t *testing.T) {
	for _, o := range []optim.Optimizer{optim.SGD(optim.SGDConfig{Momentum: 0.9, WeightDecay: 0.1}), optim.AdamW(optim.AdamConfig{WeightDecay: 0.1}), made(t, "lion", nil)} {
		factors := []float64{1, 0.25, 8, 0}
		moved := func(o optim.Optimizer, rate float64) []float32 {
			g := onnx.NewGraph("update")
			b := op.NewBuilder(g)
			vector := func(name string) *onnx.Value { return g.AddInput(name, onnx.TypeOf(onnx.Float, 6)) }
			p, gradient := vector("p"), vector("g")
			var slots []*onnx.Value
			feeds := map[string]*onnx.Tensor{"p": onnx.FromSlice([]float32{1, -2, 3, 0.5, 4, -1}), "g": onnx.FromSlice([]float32{0.3, 1, -2, 0.1, 5, -0.7}),
				"lr": onnx.FromSlice([]float32{float32(rate)}), "t": onnx.FromSlice([]int64{1})}
			for _, name := range o.Slots {
				slots = append(slots, vector(name))
				feeds[name] = onnx.NewTensor(onnx.Float, 6)
			}
			next, after := o.Update(b, p, gradient, slots, g.AddInput("lr", onnx.TypeOf(onnx.Float, 1)), g.AddInput("t", onnx.TypeOf(onnx.Int64, 1)))
			g.AddOutput(b.Identity(next), "next")
			for i, v := range after {
				g.AddOutput(b.Identity(v), o.Slots[i]+".next")
			}
			if b.Err() != nil {
				t.Fatal(b.Err())
			}
			session := runtimetest.Open(t, &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}, runtime.Options{})
			used := map[string]*onnx.Tensor{}
			for _, in := range session.Inputs() {
				used[in.Name] = feeds[in.Name]
			}
			out, err := session.Run(t.Context(), used)
			if err != nil {
				t.Fatal(err)
			}
			return out["next"].Float32s()
		}
		got := moved(optim.Scaled(o, []int64{2, 1, 2, 1}, factors), 0.01)
		for i, part := range []int{0, 0, 1, 2, 2, 3} {
			if want := moved(o, 0.01*factors[part])[i]; math.Abs(float64(got[i]-want)) > 1e-6 {
				t.Errorf("%s: element %d is %g, want %g", o.Name, i, got[i], want)
			}
		}
		if same := optim.Scaled(o, []int64{6}, []float64{1}); fmt.Sprint(moved(same, 0.01)) != fmt.Sprint(moved(o, 0.01)) {
			t.Errorf("%s: factors of one change something", o.Name)
		}
	}
}
