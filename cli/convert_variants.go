package cli

import (
	"context"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"graft/export"
	"graft/onnx"
)

// variant is a smaller form of a language model, with its file's name and how it is made.
type variant struct {
	file string
	make func(ctx context.Context, m *onnx.Model) (*onnx.Model, error)
}

// variants are the values of --variants. None is made by what runs of the model show: a language model's inputs are no noise.
var variants = map[string]variant{
	"fp16": {"model_fp16.onnx", func(ctx context.Context, m *onnx.Model) (*onnx.Model, error) {
		done, err := export.Narrowing{To: onnx.Float16, KeepIO: true, Tolerance: toleranceOf[onnx.Float16]}.Apply(ctx, m)
		if err != nil {
			return nil, err
		}
		return done.Model, nil
	}},
	"int8": {"model_int8.onnx", integersOf(export.Quantization{To: export.DynamicInt8})},
	"q8":   {"model_quantized.onnx", integersOf(export.Quantization{To: export.BlockInt8, Block: 32, NBits: true})},
	"q4":   {"model_q4.onnx", integersOf(export.Quantization{To: export.BlockInt4, Block: 32, NBits: true})},
}

func integersOf(q export.Quantization) func(context.Context, *onnx.Model) (*onnx.Model, error) {
	return func(ctx context.Context, m *onnx.Model) (*onnx.Model, error) {
		done, err := q.Apply(ctx, m)
		if err != nil {
			return nil, err
		}
		return done.Model, nil
	}
}

// variantFolder is where transformers.js looks for networks.
const variantFolder = "onnx"

// checkVariants refuses values of --variants that there are none of.
func (c *call) checkVariants() error {
	for _, name := range c.List("variants") {
		if _, ok := variants[name]; !ok {
			return misuse("--variants %s: there are %s", quote(name), strings.Join(slices.Sorted(maps.Keys(variants)), ", "))
		}
	}
	return nil
}

// saveVariants writes a network to path, and those that --variants makes of the one before other flags beside it. edit, which may be
// nil, changes each of those last: what it adds keeps its precision.
func (c *call) saveVariants(plain, m *onnx.Model, edit func(*onnx.Model) error, to string, about *convertedLanguage) (*savedModel, error) {
	saved, err := c.saveModel(m, to, false, nil)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(filepath.Dir(to), variantFolder)
	for _, name := range slices.Compact(slices.Sorted(slices.Values(c.List("variants")))) {
		v := variants[name]
		small, err := v.make(c.Context(), plain.Clone())
		if err != nil {
			return nil, c.convertError(c.Arg(0), err)
		}
		if edit != nil {
			if err := edit(small); err != nil {
				return nil, c.convertError(c.Arg(0), err)
			}
		}
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return nil, folderError(c.Out(), err)
		}
		more, err := c.saveModel(small, filepath.Join(folder, v.file), false, nil)
		if err != nil {
			return nil, err
		}
		saved.bytes += more.bytes
		about.Files = append(about.Files, path.Join(variantFolder, v.file))
		c.Say("%s/%s: %s", variantFolder, v.file, size(more.bytes))
	}
	return saved, nil
}
