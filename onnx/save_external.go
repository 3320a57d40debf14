package onnx

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"

	"graft/onnx/atomicfile"
	"graft/onnx/internal/onnxpb"
)

const (
	smallTensor   = 1024 // bytes that stay in the model
	dataAlignment = 4096 // of a tensor in the data file, so that it can be mapped
)

// SaveExternal writes m to path and the initializers of the main graph of 1 KiB and more to path + "_data" beside it, which
// the model refers to. Models beyond 2 GiB are written so. The data file comes first: a model that is there has its data,
// unless an older pair of the same names was interrupted between the two, so write to a fresh name what must not be lost.
func (m *Model) SaveExternal(path string) error {
	pb, err := m.message()
	if err != nil {
		return fmt.Errorf("encode model: %w", err)
	}
	var offset int64
	var chunks []chunk
	for _, t := range pb.Graph.GetInitializer() {
		if len(t.RawData) < smallTensor {
			continue
		}
		size := int64(len(t.RawData))
		if offset > math.MaxInt64-size-dataAlignment {
			return fmt.Errorf("encode model: the weights take more than %d bytes", int64(math.MaxInt64))
		}
		chunks = append(chunks, chunk{offset, t.RawData})
		t.ExternalData = nil
		for _, e := range [][2]string{{"location", filepath.Base(path) + "_data"},
			{"offset", strconv.FormatInt(offset, 10)}, {"length", strconv.FormatInt(size, 10)}} {
			t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(e[0]), Value: proto.String(e[1])})
		}
		t.RawData, t.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
		offset = (offset + size + dataAlignment - 1) / dataAlignment * dataAlignment
	}
	if len(chunks) == 0 {
		return m.Save(path)
	}
	if reason := badLocation(filepath.Base(path) + "_data"); reason != "" {
		return fmt.Errorf("save model: the name of its data file %s", reason)
	}
	if err := checkSize(proto.Size(pb)); err != nil {
		return err
	}
	data, err := proto.MarshalOptions{Deterministic: true, UseCachedSize: true}.Marshal(pb) // it has just been taken
	if err != nil {
		return fmt.Errorf("encode model: %w", err)
	}
	err = atomicfile.Write(path+"_data", 0o644, func(w io.Writer) error { return writeChunks(w, chunks) })
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, data, 0o644)
}

// chunk is a tensor's data and its place in the data file.
type chunk struct {
	offset int64
	data   []byte
}

// writeChunks writes them in order, zeros between.
func writeChunks(w io.Writer, chunks []chunk) error {
	var zeros [dataAlignment]byte
	var at int64
	for _, c := range chunks {
		if _, err := w.Write(zeros[:c.offset-at]); err != nil {
			return err
		}
		if _, err := w.Write(c.data); err != nil {
			return err
		}
		at = c.offset + int64(len(c.data))
	}
	return nil
}
