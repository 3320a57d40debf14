package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"graft/export"
	"graft/export/packed"
	"graft/onnx"
	"graft/onnx/inspect"
)

// packedValues are the element types of --packed, by the names of --precision.
var packedValues = map[string]onnx.DataType{"fp32": onnx.Float, "fp16": onnx.Float16, "int8": onnx.Int8}

// packedModel is what the document of graft export --packed says beside the rest.
type packedModel struct {
	Values string   `json:"values"` // element type
	Dense  int64    `json:"bytes_dense"`
	MaxRel *float64 `json:"max_rel,omitempty"` // what rounding costs: the largest max|a-b| / max|a| of an output
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
	data, back, err := packAndUnpack(m, packed.Config{Values: packedValues[c.Text("precision")]})
	if err != nil {
		return refused(path, err)
	}
	dense, err := encodeModel(unsparse(m, back), path)
	if err != nil {
		return err
	}
	doc.Packed = &packedModel{Values: c.Text("precision"), Dense: int64(len(dense))}
	if c.Text("precision") == "fp32" {
		if err := sameWeights(m, back); err != nil {
			return failed(err, "nothing was written")
		}
	} else if !c.Bool("no-verify") {
		if err := c.comparePacked(path, m, back, doc); err != nil {
			return err
		}
	}
	if doc.MaxAbsDiff != nil { // the cost of rounding, in the file too
		m.Metadata.Set("graft.max_abs_diff", strconv.FormatFloat(*doc.MaxAbsDiff, 'g', 6, 64))
		if data, back, err = packAndUnpack(m, packed.Config{Values: packedValues[c.Text("precision")]}); err != nil {
			return refused(path, err)
		}
	}
	s := inspect.Describe(back)
	sum := sha256.Sum256(data)
	doc.Opset = m.Opset("")
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

// unsparse is m, or where it has weights stored by place and value what they are unpacked to.
func unsparse(m, back *onnx.Model) *onnx.Model {
	if slices.ContainsFunc(m.Graph.Initializers(), func(v *onnx.Value) bool { return v.Sparse != nil }) {
		return back
	}
	return m
}

// sameWeights holds the dense initializers of an unpacked model to those of the one that was packed.
func sameWeights(m, back *onnx.Model) error {
	a, b := m.Graph.Initializers(), back.Graph.Initializers()
	if len(a) != len(b) {
		return fmt.Errorf("%d initializers were packed, %d unpacked", len(a), len(b))
	}
	for i, v := range a {
		if w := b[i]; v.Name != w.Name || v.Const != nil && !bytes.Equal(v.Const.Data, w.Const.Data) {
			return fmt.Errorf("initializer %s was unpacked as another", v.Name)
		}
	}
	return nil
}

// comparePacked runs the model with rounded values beside the one without, and notes what the difference is.
func (c *call) comparePacked(path string, m, back *onnx.Model, doc *exportedModel) error {
	feeds, err := c.convertFeeds(path, m)
	if err != nil {
		return err
	}
	relative, absolute, err := export.LargestDifference(c.Context(), m, back, feeds, c.runtimeOptions())
	if err != nil {
		return c.convertError(path, err)
	}
	if relative != relative {
		return failed(errors.New("the packed model gives no numbers"), "--precision fp32 keeps values as they are")
	}
	limit := c.Float("tolerance")
	if limit == 0 && c.Text("precision") == "fp16" {
		limit = toleranceOf[onnx.Float16]
	}
	if limit > 0 && relative > limit {
		return no(fmt.Sprintf("%s: an output differs by %.3g of its largest value, --tolerance is %g; nothing was written", path, relative, limit))
	}
	m.Metadata.Set("graft.max_rel", fmt.Sprintf("%.3g", relative))
	tolerance := "none"
	if limit > 0 {
		tolerance = fmt.Sprintf("%g of the largest value", limit)
	}
	m.Metadata.Set("graft.tolerance", tolerance)
	most := absolute
	if doc.MaxAbsDiff != nil {
		most = max(most, *doc.MaxAbsDiff)
	}
	doc.MaxAbsDiff, doc.Packed.MaxRel = &most, &relative
	return nil
}
