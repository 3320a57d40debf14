package generate

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime/runtimetest"
)

// counting is a model of five tokens that takes the next number for the likeliest, 3 behind 4; cached ones add what lies in the cache.
func counting(t *testing.T, graph string) *onnx.Model {
	t.Helper()
	m, err := onnx.Parse("<ir_version: 8, opset_import: [\"\" : 17]>\n" + graph)
	if err != nil {
		t.Fatal(err)
	}
	named(m)
	table := make([]float32, 25)
	for i := range 5 {
		for k := range 5 {
			table[i*5+k] = float32(-k)
		}
		next := i + 1
		if i == 4 {
			next = 3
		}
		table[i*5+next] = 2
	}
	m.Graph.Lookup("table").Const = onnx.FromSlice(table, 5, 5)
	return m
}

// named gives the cache its name, which the syntax of text has no room for.
func named(m *onnx.Model) {
	for from, to := range map[string]string{"past_key": "past_key_values.0.key", "present_key": "present.0.key"} {
		if v := m.Graph.Lookup(from); v != nil {
			v.Name = to
		}
	}
}

const (
	plain = `plain (int64[N, S] input_ids) => (float[N, S, 5] logits) <float[5, 5] table = {0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0}, float[5, 5] unit = {1,0,0,0,0, 0,1,0,0,0, 0,0,1,0,0, 0,0,0,1,0, 0,0,0,0,1}> {
x = Gather (table, input_ids)
logits = MatMul (x, unit)
}`
	// The cache has a number for each token, its id; logits of token 0 grow by their sum over 1000, so that a cache which is lost shows.
	withCache = `cached (int64[N, S] input_ids, int64[N, T] attention_mask, int64[N, S] position_ids, float[N, 1, P, 1] past_key) => (float[N, S, 5] logits, float[N, 1, T, 1] present_key) <float[5, 5] table = {0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0}, float scale = {0.001}, int64[2] dims = {1, 1}> {
x = Gather (table, input_ids)
f = Cast <to = 1> (input_ids)
axes = Constant <value = int64[2] {1, 3}> ()
new = Unsqueeze (f, axes)
present_key = Concat <axis = 2> (past_key, new)
sum = ReduceSum <keepdims = 0> (present_key)
small = Mul (sum, scale)
logits = Add (x, small)
}`
)

func open(t *testing.T, m *onnx.Model) *Model {
	t.Helper()
	out, err := New(m, runtimetest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return out
}

func TestRun(t *testing.T) {
	for _, graph := range []string{plain, withCache} {
		m := open(t, counting(t, graph))
		if m.Cached() != (graph == withCache) || m.Vocabulary() != 5 {
			t.Errorf("cache %v, %d tokens", m.Cached(), m.Vocabulary())
		}
		run := func(s Settings, want string, ids ...int64) *Result {
			t.Helper()
			told := []int64{}
			r, err := m.Run(context.Background(), []int64{0, 1}, s, func(id int64) error { told = append(told, id); return nil })
			if err != nil || !slices.Equal(r.IDs, ids) || !slices.Equal(told, ids) || r.Stop != want {
				t.Errorf("%v %v, told %v, %v; want %v %s", r.IDs, r.Stop, told, err, ids, want)
			}
			return r
		}
		r := run(Settings{Most: 5}, StopMost, 2, 3, 4, 3, 4)
		if math.Abs(r.Margin[0]-2) > 1e-6 {
			t.Errorf("margin %v", r.Margin)
		}
		run(Settings{Most: 5, Ends: []int64{1, 4}}, StopEnd, 2, 3)
		run(Settings{Most: 5, Longest: 4}, StopLongest, 2, 3)
		run(Settings{Most: 3, Temperature: 1, TopK: 1, Seed: 9}, StopMost, 2, 3, 4)
		run(Settings{Most: 3, Temperature: 1, TopP: 0.5, Seed: 9}, StopMost, 2, 3, 4)
		long := make([]int64, 2*portion+7)
		if r, err := m.Run(context.Background(), long, Settings{Most: 1}, nil); err != nil || r.IDs[0] != 1 {
			t.Errorf("%v, %v behind a long prompt", r.IDs, err)
		}
		for _, bad := range [][]int64{nil, {5}, {-1}, {0, 0, 0}} {
			if _, err := m.Run(context.Background(), bad, Settings{Most: 1, Longest: 2}, nil); err == nil {
				t.Errorf("the prompt %v is taken", bad)
			}
		}
	}
}

// TestCache holds what the cache has at every step against the tokens so far.
func TestCache(t *testing.T) {
	m := open(t, counting(t, withCache))
	text, err := m.start([]int64{2, 3})
	if err != nil {
		t.Fatal(err)
	}
	defer text.state.Close()
	if _, err := text.logits(context.Background()); err != nil {
		t.Fatal(err)
	}
	text.ids = append(text.ids, 4)
	got, err := text.logits(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := text.state.Read("past_key_values.0.key"); err != nil || !slices.Equal(kept.Float32s(), []float32{2, 3, 4}) {
		t.Errorf("the cache is %v, %v", kept, err)
	}
	if math.Abs(float64(got[0])-0.009) > 1e-6 {
		t.Errorf("logits %v", got)
	}
}

// TestChoose draws: frequencies are those of softmax, cut to the likeliest, and the same seed draws the same.
func TestChoose(t *testing.T) {
	logits := []float32{0, float32(math.Log(2)), float32(math.Log(5)), float32(math.Log(2)), -30}
	for _, c := range []struct {
		s    Settings
		want []float64
	}{
		{Settings{Temperature: 1, Seed: 1}, []float64{0.1, 0.2, 0.5, 0.2, 0}},
		{Settings{Temperature: 1, TopK: 2, Seed: 2}, []float64{0, 2. / 7, 5. / 7, 0, 0}},
		{Settings{Temperature: 1, TopP: 0.69, Seed: 3}, []float64{0, 2. / 7, 5. / 7, 0, 0}},
		{Settings{Temperature: 1, TopP: 0.71, Seed: 4}, []float64{0, 2. / 9, 5. / 9, 2. / 9, 0}},
		{Settings{Temperature: 0.5, TopK: 3, Seed: 5}, []float64{0, 4. / 33, 25. / 33, 4. / 33, 0}},
		{Settings{}, []float64{0, 0, 1, 0, 0}},
	} {
		const n = 20000
		count := make([]float64, 5)
		for step := range n {
			id, err := c.s.choose(logits, step)
			again, _ := c.s.choose(logits, step)
			if err != nil || id != again {
				t.Fatalf("%d and %d, %v", id, again, err)
			}
			count[id]++
		}
		for id, p := range c.want {
			if got := count[id] / n; math.Abs(got-p) > 4*math.Sqrt(p*(1-p)/n)+1e-12 {
				t.Errorf("%+v: token %d in %v of the draws, want %v", c.s, id, got, p)
			}
		}
	}
	if _, err := (&Settings{}).choose([]float32{0, float32(math.NaN())}, 0); err == nil {
		t.Error("NaN is taken for a logit")
	}
}

func TestMargin(t *testing.T) {
	for _, c := range []struct {
		logits []float32
		want   float64
	}{{[]float32{3, 1, 2}, 1}, {[]float32{1, 3, 2}, 1}, {[]float32{1, 2, 5}, 3}, {[]float32{4, 4}, 0}, {[]float32{-1, -5}, 4}} {
		if got := margin(c.logits); got != c.want {
			t.Errorf("%v: %v, want %v", c.logits, got, c.want)
		}
	}
}

// TestRefused says all that is wrong with a model's ends.
func TestRefused(t *testing.T) {
	m, err := onnx.Parse("<ir_version: 8, opset_import: [\"\" : 17]>\nbad (int64[N, S] token_type_ids, float[N, H, P, W] past_key) => (int64[N, S] y) {\ny = Identity (token_type_ids)\n}")
	if err != nil {
		t.Fatal(err)
	}
	named(m)
	_, err = New(m, runtimetest.Options(t))
	for _, want := range []string{"no input input_ids", `"token_type_ids"`, "no output logits", `"present.0.key"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}
