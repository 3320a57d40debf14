package export_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"graft/export"
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/precision"
	"graft/onnx/rewrite"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

var forms = flag.String("forms", "fp16,mixed,bf16,int8-static,int8-dynamic,int8-blocks,int4", "what TestPrecisionFolder converts to")

// wellKnown are inputs of models that chance does not hit: sizes by symbol, and what a tensor holds.
var wellKnown = []struct {
	prefix string
	free   map[string]int64
	shapes map[string][]int64
	values map[string]int64
}{
	{"silero_vad_legacy", map[string]int64{"sequence": 1536}, nil, map[string]int64{"sr": 16000}},
	{"silero_vad_v", nil, map[string][]int64{"input": {1, 576}, "state": {2, 1, 128}}, map[string]int64{"sr": 16000}},
	{"ort_eval_model", map[string]int64{"input-0_dim1": 784}, nil, nil},
	{"ch_PP-OCRv4_rec", map[string]int64{"p2o.DynamicDimension.1": 48, "p2o.DynamicDimension.2": 320}, nil, nil},
	{"ch_ppocr_mobile", map[string]int64{"p2o.DynamicDimension.1": 48, "p2o.DynamicDimension.2": 192}, nil, nil},
}

// folderFeeds are count inputs of the model of that name.
func folderFeeds(name string, m *onnx.Model, seed uint64, count int, o runtime.Options) ([]map[string]*onnx.Tensor, error) {
	for _, k := range wellKnown {
		if !strings.HasPrefix(name, k.prefix) {
			continue
		}
		shaped := m.Clone()
		for _, v := range shaped.Graph.Inputs() {
			if dims := k.shapes[v.Name]; dims != nil {
				v.Type = onnx.TypeOf(v.Type.DType, dims...)
			}
		}
		feeds, err := export.MadeUp(context.Background(), shaped, seed, count, k.free, o)
		for _, f := range feeds {
			for name, value := range k.values {
				onnx.View[int64](f[name])[0] = value
			}
		}
		return feeds, err
	}
	return export.MadeUp(context.Background(), m, seed, count, nil, o)
}

// TestPrecisionFolder converts every model of the folder $GRAFT_MODELS to the types of -forms, runs what it makes on other inputs than
// those that the conversion looked at, and logs a table. float16 as ONNX Runtime runs it must give every output within 1e-2 of its
// largest value.
func TestPrecisionFolder(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("GRAFT_MODELS"), "*.onnx"))
	if os.Getenv("GRAFT_MODELS") == "" || len(files) == 0 {
		t.Skip("GRAFT_MODELS names no folder with models")
	}
	o := runtimetest.Options(t)
	var rows []string
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		m, err := onnx.Load(path, onnx.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		before, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		feeds, err := folderFeeds(name, m, 0, 5, o)
		var fresh []map[string]*onnx.Tensor
		if err == nil {
			fresh, err = folderFeeds(name, m, 100, 3, o)
		}
		if err == nil {
			_, _, err = export.LargestDifference(context.Background(), m, m, fresh[:1], o)
		}
		if err != nil {
			rows = append(rows, fmt.Sprintf("| %s | | does not run: %.100s | | | | |", name, oneLine(err)))
			continue
		}
		for _, form := range strings.Split(*forms, ",") {
			start := time.Now()
			made, kept, err := convertTo(m, form, feeds, o)
			seconds := time.Since(start).Seconds()
			if err != nil {
				rows = append(rows, fmt.Sprintf("| %s | %s | %.100s | | | | |", name, form, oneLine(err)))
				if slices.Contains([]string{"fp16", "mixed", "bf16"}, form) {
					t.Errorf("%s to %s: %v", name, form, err)
				}
				continue
			}
			after, err := made.Encode()
			if err != nil {
				t.Fatal(err)
			}
			rel, rounded, err := freshDifference(m, made, form, fresh, o)
			if err != nil {
				t.Errorf("%s to %s: %v", name, form, err)
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %.2g | %.2g | %d | %.1f | %.2f |", name, form, rel, rounded, kept, seconds, float64(len(after))/float64(len(before))))
			if (form == "fp16" || form == "mixed") && !(rel <= 1e-2) || math.IsNaN(rel) {
				t.Errorf("%s to %s: an output differs by %g of its largest value", name, form, rel)
			}
			t.Log(rows[len(rows)-1])
		}
	}
	t.Logf("\n| model | form | largest difference | each value rounded | nodes kept | seconds | size ratio |\n|---|---|---|---|---|---|---|\n%s", strings.Join(rows, "\n"))
}

// freshDifference is what a form loses as ONNX Runtime runs it on the CPU, which has no kernels for bfloat16, and what a 16-bit form
// loses with each value rounded.
func freshDifference(m, made *onnx.Model, form string, feeds []map[string]*onnx.Tensor, o runtime.Options) (worst, rel float64, err error) {
	ctx := context.Background()
	if form != "bf16" {
		if worst, _, err = export.LargestDifference(ctx, m, made, feeds, o); err != nil {
			return worst, 0, err
		}
	}
	types := map[string]onnx.DataType{"fp16": onnx.Float16, "mixed": onnx.Float16, "bf16": onnx.BFloat16}
	if types[form] == onnx.Undefined {
		return worst, worst, nil
	}
	typed := made.Clone()
	op.InferModel(typed)
	rounded, err := precision.Simulate(typed, types[form])
	if err != nil {
		return worst, 0, err
	}
	rel, _, err = export.LargestDifference(ctx, m, rounded, feeds, o)
	if form == "bf16" {
		worst = rel
	}
	return worst, rel, err
}

// convertTo gives a model in a form, and the nodes that stay as they were.
func convertTo(m *onnx.Model, form string, feeds []map[string]*onnx.Tensor, o runtime.Options) (*onnx.Model, int, error) {
	ctx := context.Background()
	switch form {
	case "fp16", "mixed", "bf16":
		w := export.Narrowing{To: onnx.Float16, Delicate: form == "mixed", Tolerance: 5e-3, Feeds: feeds, Options: o}
		if form == "bf16" {
			w.To, w.Tolerance = onnx.BFloat16, 3e-2
			if m.Opset("") < 22 {
				m = m.Clone()
				if _, err := rewrite.ToOpset(m, 22); err != nil {
					return nil, 0, err
				}
				op.InferModel(m)
			}
		}
		done, err := w.Apply(ctx, m)
		if err != nil {
			return nil, 0, err
		}
		return done.Model, len(done.Report.Kept), nil
	}
	done, err := export.Quantization{To: export.Integers(form), Feeds: feeds, Options: o}.Apply(ctx, m)
	if err != nil {
		return nil, 0, err
	}
	return done.Model, len(done.Report.Kept), nil
}

func oneLine(err error) string {
	var original *export.OriginalError
	if errors.As(err, &original) {
		err = original
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
