package cli

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"graft/export"
	"graft/export/packed"
	"graft/onnx"
	"graft/onnx/inspect"
	"graft/onnx/limits"
	"graft/runtime"
)

// packedValues are the element types of --packed, by the names of --precision.
var packedValues = map[string]onnx.DataType{"fp32": onnx.Float, "fp16": onnx.Float16, "int8": onnx.Int8}

// packedTolerance is --tolerance with --packed --precision fp16, where it is not given.
const packedTolerance = 1e-3

// packedModel is what the document of graft export --packed says beside the rest.
type packedModel struct {
	Values string   `json:"values"`            // element type
	Exact  []string `json:"exact,omitempty"`   // weights that stay in float32 because of --tolerance
	MaxRel *float64 `json:"max_rel,omitempty"` // what rounding costs: the largest max|a-b| / max|a| of an output
	Dense  int64    `json:"bytes_unpacked"`
}

// checkExportPacked refuses flags that do not go with --packed.
func (c *call) checkExportPacked() error {
	if !c.Bool("packed") {
		return nil
	}
	p := c.Text("precision")
	if _, ok := packedValues[p]; !ok {
		return misuse("--packed with --precision %s: values are stored as fp32, fp16 or int8", p)
	}
	for _, f := range []string{"sparse-initializer", "keep-io", "external-data", "external-data-threshold", "external-data-align"} {
		if c.IsSet(f) {
			return misuse("--packed and --%s exclude each other: weights are packed, and a model again by graft unpack", f)
		}
	}
	return nil
}

// savePacked writes m packed to the file at out, when what is unpacked of it has been held to m: to the bit in float32, by runs
// where values are rounded.
func (c *call) savePacked(path, out string, m *onnx.Model, doc *exportedModel) error {
	name := c.Text("precision")
	config := packed.Config{Values: packedValues[name]}
	doc.Packed = &packedModel{Values: name}
	if name != "fp32" && !c.Bool("no-verify") {
		if err := c.roundPacked(path, m, &config, doc); err != nil {
			return err
		}
	}
	if doc.MaxAbsDiff != nil {
		m.Metadata.Set("graft.max_abs_diff", strconv.FormatFloat(*doc.MaxAbsDiff, 'g', 6, 64))
	}
	data, back, err := packAndUnpack(m, config)
	if err != nil {
		return refused(path, err)
	}
	if name == "fp32" {
		if err := sameWeights(m, back); err != nil {
			return failed(err, "nothing was written")
		}
	}
	dense, err := encodeModel(back, path)
	if err != nil {
		return err
	}
	doc.Packed.Dense, doc.Opset = int64(len(dense)), m.Opset("")
	s := inspect.Describe(back)
	sum := sha256.Sum256(data)
	doc.Params, doc.ParamsNonzero, doc.savedModel = s.Parameters, s.Nonzero, &savedModel{bytes: int64(len(data)), hash: hex.EncodeToString(sum[:])}
	if c.Common.DryRun {
		return nil
	}
	return writeFile(out, data)
}

// packAndUnpack gives the bytes of a packed file, and the model that is in them.
func packAndUnpack(m *onnx.Model, config packed.Config) ([]byte, *onnx.Model, error) {
	var b bytes.Buffer
	if err := packed.Write(&b, m, config); err != nil {
		return nil, nil, err
	}
	back, err := packed.Decode(bytes.NewReader(b.Bytes()), int64(b.Len()), "the packed model")
	return b.Bytes(), back, err
}

// sameWeights holds the dense initializers of an unpacked model to those of the one that was packed.
func sameWeights(m, back *onnx.Model) error {
	a, b := m.Graph.Initializers(), back.Graph.Initializers()
	if len(a) != len(b) {
		return fmt.Errorf("%d initializers were packed, %d unpacked", len(a), len(b))
	}
	for i, v := range a {
		if w := b[i]; v.Name != w.Name || v.Const != nil && !bytes.Equal(v.Const.Data, w.Const.Data) {
			return fmt.Errorf("initializer %s was unpacked as another", limits.Name(v.Name))
		}
	}
	return nil
}

// roundPacked runs the model with rounded values beside the one without, and notes the difference in doc and in the file.
func (c *call) roundPacked(path string, m *onnx.Model, config *packed.Config, doc *exportedModel) error {
	feeds, err := c.convertFeeds(path, m)
	if err != nil {
		return err
	}
	limit := c.Float("tolerance")
	if limit == 0 && config.Values == onnx.Float16 {
		limit = packedTolerance
	}
	relative, absolute, err := c.fewestExact(path, m, config, feeds, limit, c.runtimeOptions())
	switch {
	case err != nil:
		return err
	case math.IsNaN(relative):
		return failed(errors.New("the packed model gives no numbers"), "--precision fp32 keeps values as they are")
	case limit > 0 && relative > limit:
		return no(fmt.Sprintf("%s: an output differs by %.3g of its largest value, --tolerance is %g; nothing was written", path, relative, limit))
	}
	doc.Packed.Exact, doc.Packed.MaxRel = slices.Sorted(maps.Keys(config.Exact)), &relative
	m.Metadata.Set("graft.max_rel", fmt.Sprintf("%.3g", relative))
	tolerance := "none"
	if limit > 0 {
		tolerance = fmt.Sprintf("%g of the largest value", limit)
	}
	m.Metadata.Set("graft.tolerance", tolerance)
	if doc.MaxAbsDiff != nil {
		absolute = max(absolute, *doc.MaxAbsDiff)
	}
	doc.MaxAbsDiff = &absolute
	return nil
}

// fewestExact has weights stay in float32 until an output is within limit of its largest value, those of the fewest values first:
// they cost least, and stand where most passes through them. It finds how many by halving, sets config.Exact, and gives what is
// left of the difference. 0: no limit.
func (c *call) fewestExact(path string, m *onnx.Model, config *packed.Config, feeds []map[string]*onnx.Tensor, limit float64, o runtime.Options) (relative, absolute float64, err error) {
	order := byValues(m.Graph)
	run := func(exact int) (within bool, err error) {
		config.Exact = map[string]bool{}
		for _, name := range order[:exact] {
			config.Exact[name] = true
		}
		_, back, err := packAndUnpack(m, *config)
		if err != nil {
			return false, refused(path, err)
		}
		if relative, absolute, err = export.LargestDifference(c.Context(), m, back, feeds, o); err != nil {
			return false, c.convertError(path, err)
		}
		return limit == 0 || relative <= limit, nil
	}
	within, err := run(0)
	if within || err != nil || len(order) == 0 {
		return relative, absolute, err
	}
	least, most := 1, len(order) // of which all are as they were
	for least < most {
		middle := (least + most) / 2
		if within, err = run(middle); err != nil {
			return 0, 0, err
		}
		if within {
			most = middle
		} else {
			least = middle + 1
		}
	}
	_, err = run(least)
	return relative, absolute, err
}

// byValues are the float32 initializers that are not zero, those of the fewest values first.
func byValues(g *onnx.Graph) (names []string) {
	count := map[string]int64{}
	for _, v := range g.Initializers() {
		if v.Const != nil && v.Const.DType == onnx.Float {
			if n := inspect.Nonzero(v.Const); n > 0 {
				count[v.Name] = n
				names = append(names, v.Name)
			}
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(count[a], count[b]) })
	return names
}
