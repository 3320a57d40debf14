package export_test

import (
	"bytes"
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"graft/export"
	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

var key = noise.NewKey(7, "z", 0)

const scale = 0.1

func hourglass(t *testing.T, network graphs.Hourglass) *onnx.Model {
	t.Helper()
	m, err := network.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func tiny(t *testing.T) *onnx.Model {
	return hourglass(t, graphs.Hourglass{Channels: []int64{4, 4}, DownKernel: 3, In: 4, Height: 16, Width: 24})
}

// pruned keeps a fraction of the weights, drawn at random.
func pruned(t *testing.T, m *onnx.Model, sparsity float64) {
	t.Helper()
	score, err := masking.FindScore("random")
	if err != nil {
		t.Fatal(err)
	}
	set, err := masking.Choose(masking.Weights(masking.Parameters(m.Graph), 3), score, masking.Choice{Sparsity: sparsity, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := masking.Apply(m.Graph, set); err != nil {
		t.Fatal(err)
	}
}

// z is what a deployed model makes.
func z(dims ...int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, dims...)
	noise.Uniform(t.Float32s(), key)
	for i := range t.Float32s() {
		t.Float32s()[i] *= scale
	}
	return t
}

func deploy(t *testing.T, d export.Deployment, m *onnx.Model) *onnx.Model {
	t.Helper()
	d.Key, d.Scale = key, scale
	out, err := d.Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range onnx.Check(out.Model) {
		if f.Severity == onnx.Error {
			t.Errorf("checker: %v", f)
		}
	}
	return out.Model
}

func encode(t *testing.T, m *onnx.Model) []byte {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// run opens a model file's bytes and runs it.
func run(t *testing.T, data []byte, feeds map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	t.Helper()
	o := runtimetest.Options(t)
	o.Threads = 1
	s, err := runtime.Open(data, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestGeneratedZ runs the generator alone: the same bits as in Go.
func TestGeneratedZ(t *testing.T) {
	for _, dims := range [][]int64{{1, 32, 64, 48}, {2, 3, 5, 7}, {1}, {1, 8, 256, 256}} {
		g := onnx.NewGraph("z")
		in := g.AddInput("z", onnx.TypeOf(onnx.Float, dims...))
		b := op.NewBuilder(g)
		g.AddOutput(b.Identity(in), "out")
		m := &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}
		for _, place := range []export.Z{export.ZGenerate, export.ZTensor} {
			made := deploy(t, export.Deployment{Z: place}, m)
			if len(made.Graph.Inputs()) != 0 || made.Opset("") != 17 || made.IRVersion != 8 {
				t.Errorf("%s: %d inputs, opset %d, version %d", place, len(made.Graph.Inputs()), made.Opset(""), made.IRVersion)
			}
			data := encode(t, made)
			if got := run(t, data, nil)["out"]; !bytes.Equal(got.Data, z(dims...).Data) {
				t.Errorf("%v, --z %s: other bits than Go's", dims, place)
			}
			if place == export.ZGenerate && len(data) > 4000 {
				t.Errorf("the generator takes %d bytes", len(data))
			}
		}
	}
}

// TestDeployment compares every form of a pruned network with the network itself.
func TestDeployment(t *testing.T) {
	m := tiny(t)
	pruned(t, m, 0.7)
	before := m.Text()
	feeds := map[string]*onnx.Tensor{"z": z(1, 4, 16, 24)}
	want := run(t, encode(t, m), feeds)["image"]
	var whole *onnx.Tensor
	for _, place := range []export.Z{"", export.ZInput, export.ZGenerate, export.ZTensor} {
		for form := range 4 {
			d := export.Deployment{Z: place, Compact: form&1 != 0, Sparse: form&2 != 0, Metadata: onnx.Metadata{{Key: "graft.seed", Value: "7"}}}
			made := deploy(t, d, m)
			if v, _ := made.Metadata.Get("graft.seed"); v != "7" || made.Opset("") != 17 {
				t.Errorf("%s: seed %q, opset %d", place, v, made.Opset(""))
			}
			data := encode(t, made)
			if again := encode(t, deploy(t, d, m)); !bytes.Equal(data, again) {
				t.Errorf("%s: other bytes the second time", place)
			}
			own := feeds
			if place == export.ZGenerate || place == export.ZTensor {
				own = nil
			}
			got := run(t, data, own)["image"]
			if got == nil {
				t.Fatalf("%s: the output has lost its name", place)
			}
			for i, v := range want.Float32s() {
				if math.Abs(float64(v-got.Float32s()[i])) > 1e-6 {
					t.Fatalf("%s, form %d: element %d: %g became %g", place, form, i, v, got.Float32s()[i])
				}
			}
			if form == 0 {
				if whole == nil {
					whole = got
				} else if !bytes.Equal(whole.Data, got.Data) {
					t.Errorf("--z %s draws other bits", place)
				}
				for _, v := range m.Graph.Initializers() {
					if now := made.Graph.Lookup(v.Name); now == nil || now.Const == nil || !bytes.Equal(now.Const.Data, v.Const.Data) {
						t.Errorf("%s: parameter %s is not there as it was", place, v.Name)
					}
				}
			}
			if _, err := onnx.Decode(data); err != nil {
				t.Error(err)
			}
		}
	}
	if m.Text() != before {
		t.Error("deployment changed the model it was given")
	}
}

// TestDeployedChannels: of a z that the file makes only the channels are made that are read.
func TestDeployedChannels(t *testing.T) {
	m := tiny(t)
	groups := masking.Groups(m.Graph, "z")
	score, err := masking.FindChannelScore("l1-norm")
	if err != nil {
		t.Fatal(err)
	}
	set, err := masking.ChooseChannels(groups, masking.Weights(masking.Parameters(m.Graph), 1), score, masking.ChannelChoice{Sparsity: 0.5, Multiple: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := masking.Apply(m.Graph, set); err != nil {
		t.Fatal(err)
	}
	want := run(t, encode(t, m), map[string]*onnx.Tensor{"z": z(1, 4, 16, 24)})["image"]
	for _, place := range []export.Z{export.ZGenerate, export.ZTensor} {
		out := deploy(t, export.Deployment{Z: place, Compact: true}, m)
		if w := out.Graph.Lookup("s0.down1.conv.weight"); w.Const.Dims[0] != 2 || w.Const.Dims[1] != 2 {
			t.Errorf("%s: the first layer is %v", place, w.Const.Dims)
		}
		got := run(t, encode(t, out), nil)["image"]
		for i, x := range want.Float32s() {
			if d := math.Abs(float64(x - got.Float32s()[i])); d > 1e-5 {
				t.Fatalf("%s: pixel %d differs by %g", place, i, d)
			}
		}
	}
	out := deploy(t, export.Deployment{Z: export.ZInput, Compact: true}, m)
	if w := out.Graph.Lookup("s0.down1.conv.weight"); w.Const.Dims[0] != 2 || w.Const.Dims[1] != 4 {
		t.Errorf("z is an input: the first layer is %v", w.Const.Dims)
	}
}

func TestDeploymentRefuses(t *testing.T) {
	two := onnx.NewGraph("two")
	b := op.NewBuilder(two)
	x := two.AddInput("x", onnx.TypeOf(onnx.Float, 2))
	two.AddOutput(b.Add(x, two.AddInput("y", onnx.TypeOf(onnx.Float, 2))), "s")
	free := onnx.NewGraph("free")
	v := free.AddInput("z", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "n"}}})
	free.AddOutput(op.NewBuilder(free).Relu(v), "y")
	for want, c := range map[string]struct {
		d     export.Deployment
		g     *onnx.Graph
		opset int64
	}{
		"the model has 2":           {export.Deployment{Z: export.ZGenerate}, two, 21},
		"of known size":             {export.Deployment{Z: export.ZTensor}, free, 21},
		"wants opset 13":            {export.Deployment{Z: export.ZGenerate}, known(), 9},
		`no such place for z: "up"`: {export.Deployment{Z: "up"}, known(), 21},
	} {
		_, err := c.d.Apply(&onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: c.opset}}, Graph: c.g})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func known() *onnx.Graph {
	g := onnx.NewGraph("known")
	g.AddOutput(op.NewBuilder(g).Relu(g.AddInput("z", onnx.TypeOf(onnx.Float, 4))), "y")
	return g
}

// TestSparseSizes holds the sizes of sparse files at 95 % sparsity against those of dense ones. ONNX Runtime reads them.
func TestSparseSizes(t *testing.T) {
	for _, c := range []struct {
		network graphs.Hourglass
		factor  int
	}{
		{graphs.Hourglass{Height: 192, Width: 192}, 6}, {graphs.Hourglass{Channels: []int64{16, 16, 32, 32}, Height: 48, Width: 48}, 5},
	} {
		m := hourglass(t, c.network)
		dense := encode(t, deploy(t, export.Deployment{Z: export.ZGenerate}, m))
		pruned(t, m, 0.95)
		sparse := encode(t, deploy(t, export.Deployment{Z: export.ZGenerate, Sparse: true}, m))
		t.Logf("dense %d bytes, sparse %d: 1/%.2f", len(dense), len(sparse), float64(len(dense))/float64(len(sparse)))
		if len(sparse)*c.factor > len(dense) {
			t.Errorf("dense %d bytes, sparse %d: more than 1/%d", len(dense), len(sparse), c.factor)
		}
		path := filepath.Join(t.TempDir(), "sparse.onnx")
		made, err := onnx.Decode(sparse)
		if err != nil {
			t.Fatal(err)
		}
		if err := made.Save(path); err != nil {
			t.Fatal(err)
		}
		back, err := onnx.Load(path, onnx.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		in := m.Graph.Inputs()[0]
		dims, _ := in.Type.Shape.Sizes()
		diff, err := export.Verify(t.Context(), m, back, map[string]*onnx.Tensor{"z": z(dims...)}, export.Float32, runtimetest.Options(t))
		if err != nil || diff > 1e-6 {
			t.Errorf("differs by %g: %v", diff, err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	m := tiny(t)
	feeds := map[string]*onnx.Tensor{"z": z(1, 4, 16, 24)}
	for name, c := range map[string]struct {
		change func(m *onnx.Model)
		want   string
	}{
		"nothing":  {func(*onnx.Model) {}, ""},
		"a rename": {func(m *onnx.Model) { m.Graph.Outputs()[0].Name = "picture" }, ""},
		"a weight": {func(m *onnx.Model) { replace(m, "out.conv.bias", 0, 0.01) }, "output \"image\" by"},
		"a hair":   {func(m *onnx.Model) { replace(m, "out.conv.bias", 1, 1e-7) }, ""},
		"a NaN":    {func(m *onnx.Model) { replace(m, "out.conv.weight", 0, float32(math.NaN())) }, "output \"image\" by +Inf"},
		"the shape": {func(m *onnx.Model) {
			b := op.NewBuilder(m.Graph)
			m.Graph.SetOutputs(b.Named(b.Reshape(m.Graph.Outputs()[0], 3, 16, 24), "flat"))
		}, "shapes differ"},
		"an output": {func(m *onnx.Model) { m.Graph.AddOutput(op.NewBuilder(m.Graph).Neg(m.Graph.Outputs()[0]), "more") }, "2 outputs, the original 1"},
	} {
		changed := m.Clone()
		c.change(changed)
		_, err := export.Verify(t.Context(), m, changed, feeds, export.Float32, runtimetest.Options(t))
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func replace(m *onnx.Model, name string, i int, by float32) {
	v := m.Graph.Lookup(name)
	v.Const = v.Const.Clone()
	v.Const.Float32s()[i] += by
}

func TestManifest(t *testing.T) {
	m := export.NewManifest("1.2")
	m.Add("model.onnx", []byte("abc"))
	m.Checks = append(m.Checks, export.Check{File: "model.onnx", Precision: "fp32", MaxAbs: 1e-7, Tolerance: export.Float32})
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Producer, Version string
		Files             map[string]struct {
			Bytes  int64
			SHA256 string
		}
		Checks []struct {
			File       string
			MaxAbs     float64 `json:"max_abs_diff"`
			Atol, Rtol float64
		}
	}
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	f := back.Files["model.onnx"]
	if back.Producer != "graft" || back.Version != "1.2" || f.Bytes != 3 ||
		f.SHA256 != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" ||
		len(back.Checks) != 1 || back.Checks[0].Atol != 1e-5 || back.Checks[0].MaxAbs != 1e-7 {
		t.Errorf("%s", data)
	}
}
