package onnx

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"graft/onnx/internal/onnxpb"
	"graft/onnx/limits"
)

// Decode reads a model from the bytes of an ONNX file. Tensors own their memory: data may be reused. A model that keeps
// weights in other files is refused, since bytes have no folder to look in: Load reads those. What the IR does not know
// (functions, training information, fields of newer standards) is carried along and written back by Encode.
//
// The error is a *limits.InputError for bytes that are no ONNX file, an *InvalidError for a model that contradicts itself.
func Decode(data []byte) (*Model, error) {
	m, err := decode(data, nil)
	if err != nil {
		return nil, elsewhere(data[:min(len(data), limits.RecognizeLen)], int64(len(data)), err)
	}
	return m, nil
}

// DecodeTensor reads a tensor from the bytes of a TensorProto, as in the .pb files of ONNX's test data.
func DecodeTensor(data []byte) (*Tensor, error) {
	pb := &onnxpb.TensorProto{}
	if err := unmarshal(data, pb); err != nil {
		return nil, err
	}
	if isExternal(pb) {
		return nil, refuse("tensor %q keeps its data in another file", pb.GetName())
	}
	var d decoder
	t := d.tensor(pb, "tensor")
	return t, d.err()
}

func unmarshal(data []byte, pb proto.Message) error {
	if err := prescan(data, pb.ProtoReflect().Descriptor().FullName()); err != nil {
		return err
	}
	if err := (proto.UnmarshalOptions{RecursionLimit: maxMessageDepth + 2}).Unmarshal(data, pb); err != nil {
		return refuse("damaged protobuf: %v", err)
	}
	return nil
}

// decode reads a model; external brings the tensors in that are stored elsewhere.
func decode(data []byte, external func(*onnxpb.ModelProto) error) (*Model, error) {
	pb := &onnxpb.ModelProto{}
	if err := unmarshal(data, pb); err != nil {
		return nil, err
	}
	if pb.Graph == nil {
		return nil, refuse("not an ONNX model: there is no graph in it")
	}
	if external == nil {
		external = refuseExternal
	}
	if err := external(pb); err != nil {
		return nil, err
	}
	var d decoder
	m := d.model(pb)
	if err := d.err(); err != nil {
		return nil, err
	}
	return m, nil
}

// decoder turns messages into the IR. It takes what it understands out of each message; what is left becomes an extra.
type decoder struct {
	problems []string
	notes    []Finding // what is odd, but has one reading
	ir       int64     // version of the file format
}

func (d *decoder) problem(format string, args ...any) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, message(format, args...))
	}
}

func (d *decoder) err() error {
	if len(d.problems) > 0 {
		return &InvalidError{Problems: d.problems}
	}
	return nil
}

func (d *decoder) model(pb *onnxpb.ModelProto) *Model {
	m := &Model{
		IRVersion:       pb.GetIrVersion(),
		ProducerName:    pb.GetProducerName(),
		ProducerVersion: pb.GetProducerVersion(),
		Domain:          pb.GetDomain(),
		Version:         pb.GetModelVersion(),
		Doc:             pb.GetDocString(),
		Metadata:        d.metadata(pb.MetadataProps, "model"),
	}
	d.ir = m.IRVersion
	m.Opsets = d.opsets(pb.OpsetImport)
	d.versions(m)
	d.carried(pb)
	m.Graph = d.graph(pb.Graph, "graph", nil)
	if len(pb.Functions) <= maxFunctions {
		for _, f := range pb.Functions {
			m.functions = append(m.functions, d.function(f))
		}
		m.calls(d.problem)
	} else {
		d.problem("%d functions, at most %d are read", len(pb.Functions), maxFunctions)
	}
	m.notes = d.notes
	pb.IrVersion, pb.ProducerName, pb.ProducerVersion, pb.Domain, pb.ModelVersion, pb.DocString = nil, nil, nil, nil, nil, nil
	pb.MetadataProps, pb.Functions, pb.OpsetImport, pb.Graph = nil, nil, nil, nil
	m.extra = rest(pb)
	return m
}

// carried checks the tensors that are carried along unread: training information and defaults of functions.
func (d *decoder) carried(pb *onnxpb.ModelProto) {
	only := &onnxpb.ModelProto{TrainingInfo: pb.TrainingInfo}
	for _, f := range pb.Functions {
		only.Functions = append(only.Functions, &onnxpb.FunctionProto{Name: f.Name, AttributeProto: f.AttributeProto})
	}
	_ = tensors(only, func(t *onnxpb.TensorProto, where string) error {
		d.elements(t, &Tensor{Name: t.GetName(), DType: DataType(t.GetDataType()), Dims: t.Dims}, where)
		return nil
	})
}

// versions refuses what cannot be a version.
func (d *decoder) versions(m *Model) {
	const absurd = 1 << 20
	if m.IRVersion < 1 || m.IRVersion > absurd {
		d.problem("ir_version is %d: versions are small numbers from 1 on", m.IRVersion)
	}
	if len(m.Opsets) == 0 && m.IRVersion >= 3 {
		d.problem("no operator set is imported (opset_import)")
	}
	seen := map[string]int64{}
	for _, o := range m.Opsets {
		if o.Version < 1 || o.Version > absurd {
			d.problem("opset of domain %q is %d: versions are small numbers from 1 on", o.Domain, o.Version)
		}
		if v, ok := seen[canonicalDomain(o.Domain)]; ok && v != o.Version {
			d.problem("domain %q is imported twice, at versions %d and %d", o.Domain, v, o.Version)
		}
		seen[canonicalDomain(o.Domain)] = o.Version
	}
}

func (d *decoder) note(where, rule, format string, args ...any) {
	if len(d.notes) < maxProblems {
		d.notes = append(d.notes, Finding{Warning, printable(where), rule, message(format, args...)})
	}
}

// broken notes what breaks a rule of the standard, but has one reading.
func (d *decoder) broken(where, rule, format string, args ...any) {
	if len(d.notes) < maxProblems {
		d.notes = append(d.notes, Finding{Error, printable(where), rule, message(format, args...)})
	}
}

func (d *decoder) opsets(list []*onnxpb.OperatorSetIdProto) []Opset {
	var out []Opset
	for _, o := range list {
		k := Opset{Domain: o.GetDomain(), Version: o.GetVersion()}
		o.Domain, o.Version = nil, nil
		k.extra = string(rest(o))
		out = append(out, k)
	}
	return out
}

func (d *decoder) metadata(props []*onnxpb.StringStringEntryProto, where string) Metadata {
	if len(props) > maxMetadata {
		d.problem("%s: %d entries of metadata, at most %d are read", where, len(props), maxMetadata)
		return nil
	}
	var m Metadata
	for _, p := range props {
		kv := KeyValue{Key: p.GetKey(), Value: p.GetValue()}
		p.Key, p.Value = nil, nil
		kv.extra = string(rest(p))
		m = append(m, kv)
	}
	return m
}

// rest encodes what is left of a message once the IR's part is taken out; nil when nothing is.
func rest(pb protoreflect.ProtoMessage) Opaque {
	if proto.Size(pb) == 0 {
		return nil
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(pb)
	if err != nil { // only required fields and invalid UTF-8 of proto3 can fail; the schema has neither
		return nil
	}
	return data
}
