package cli

import (
	"graft/export/packed"
	"graft/onnx/inspect"
)

var unpackVerb = verb{
	name: "unpack", args: "FILE", short: "make an ONNX model of a file that graft export --packed has written",
	long: `Weights are what they were, to the bit where they were stored as fp32. The format, and how to read it without graft, is in
docs/packed.md.`,
	examples: []string{"graft unpack small.safetensors --out small.onnx"},
	groups:   readsModel | writes | writesModel,
	run:      runUnpack,
}

// unpackedModel is the document of graft unpack --json.
type unpackedModel struct {
	File          string `json:"file"`
	Bytes         int64  `json:"bytes"`
	Params        int64  `json:"params"`
	ParamsNonzero int64  `json:"params_nonzero"`
	Opset         int64  `json:"opset"`
	Hash          string `json:"hash"` // SHA-256 of the file
	*savedModel
}

func runUnpack(c *call) error {
	out, err := c.OutFile()
	if err != nil {
		return err
	}
	path := c.Arg(0)
	m, err := packed.Read(path)
	if err != nil {
		return refused(path, err)
	}
	s := inspect.Describe(m)
	doc := unpackedModel{File: out, Params: s.Parameters, ParamsNonzero: s.Nonzero, Opset: m.Opset("")}
	if doc.savedModel, err = c.saveModel(m, out, true, nil); err != nil {
		return err
	}
	doc.Bytes, doc.Hash = doc.bytes, doc.hash
	c.JSON(doc)
	would := ""
	if c.Common.DryRun {
		would = "would write "
	}
	c.Print("%s%s: %s parameters, %s of them not zero, %s, opset %d", would, out, grouped(doc.Params), grouped(doc.ParamsNonzero), size(doc.Bytes), doc.Opset)
	return nil
}
