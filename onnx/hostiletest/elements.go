package hostiletest

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// BadTensor is a tensor whose elements contradict its type or dims.
type BadTensor struct {
	ID, Name, Says string
	Tensor         *onnxpb.TensorProto
}

// Tensors lists tensors that have to be refused.
func Tensors() []BadTensor {
	const f32, i64, word, boolean = onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_INT64, onnxpb.TensorProto_STRING, onnxpb.TensorProto_BOOL
	var list []BadTensor
	add := func(id, name, says string, d onnxpb.TensorProto_DataType, dims []int64, fill func(t *onnxpb.TensorProto)) {
		t := Tensor(int32(d), dims...)
		if fill != nil {
			fill(t)
		}
		list = append(list, BadTensor{id, name, says, t})
	}
	add("O06", "dims whose product is 2^64", "overflow", f32, []int64{1 << 62, 4}, nil)
	add("O06", "a dim whose bytes are 2^64", "overflow", f32, []int64{1 << 62}, nil)
	add("O06", "a negative dim", "negative", f32, []int64{-1}, nil)
	add("O06", "a negative dim beside 0", "negative", f32, []int64{0, math.MinInt64}, nil)
	add("O06", "a million dims", "rank", f32, make([]int64, 1<<20), nil)

	two := []int64{2}
	raw := func(n int) func(*onnxpb.TensorProto) {
		return func(t *onnxpb.TensorProto) { t.RawData = make([]byte, n) }
	}
	add("O07", "no data", "no data", f32, two, nil)
	add("O07", "short raw_data", "asks for 8", f32, two, raw(4))
	add("O07", "long raw_data", "asks for 8", f32, two, raw(12))
	add("O07", "raw_data and float_data", "only one", f32, two, func(t *onnxpb.TensorProto) {
		t.RawData, t.FloatData = make([]byte, 8), []float32{1, 2}
	})
	add("O07", "float_data and int64_data", "only one", f32, two, func(t *onnxpb.TensorProto) {
		t.FloatData, t.Int64Data = []float32{1, 2}, []int64{1, 2}
	})
	add("O07", "floats in int64_data", "belong in float_data", f32, two, func(t *onnxpb.TensorProto) { t.Int64Data = []int64{1, 2} })
	add("O07", "short int64_data", "asks for 3", i64, []int64{3}, func(t *onnxpb.TensorProto) { t.Int64Data = []int64{1, 2} })
	add("O07", "an int8 of 256", "does not fit", onnxpb.TensorProto_INT8, []int64{1}, func(t *onnxpb.TensorProto) { t.Int32Data = []int32{256} })
	add("O07", "a float16 of 65536", "does not fit", onnxpb.TensorProto_FLOAT16, []int64{1}, func(t *onnxpb.TensorProto) { t.Int32Data = []int32{1 << 16} })
	add("O07", "a uint32 of 2^32", "does not fit", onnxpb.TensorProto_UINT32, []int64{1}, func(t *onnxpb.TensorProto) { t.Uint64Data = []uint64{1 << 32} })
	add("O07", "no element type", "element type", onnxpb.TensorProto_UNDEFINED, []int64{1}, nil)
	add("O07", "a segment", "segment", f32, two, func(t *onnxpb.TensorProto) {
		t.RawData, t.Segment = make([]byte, 8), &onnxpb.TensorProto_Segment{Begin: proto.Int64(0), End: proto.Int64(1 << 40)}
	})

	for _, d := range []struct {
		dtype onnxpb.TensorProto_DataType
		size  int // of five elements
	}{
		{onnxpb.TensorProto_INT4, 3}, {onnxpb.TensorProto_UINT4, 3}, {onnxpb.TensorProto_FLOAT4E2M1, 3}, {onnxpb.TensorProto_INT2, 2},
		{onnxpb.TensorProto_UINT2, 2}, {boolean, 5}, {onnxpb.TensorProto_FLOAT8E4M3FN, 5}, {onnxpb.TensorProto_FLOAT8E8M0, 5},
	} {
		for _, n := range []int{d.size - 1, d.size + 1} {
			add("O08", fmt.Sprintf("%v in %d bytes", d.dtype, n), "asks for", d.dtype, []int64{5}, raw(n))
			add("O08", fmt.Sprintf("%v in %d numbers", d.dtype, n), "asks for", d.dtype, []int64{5},
				func(t *onnxpb.TensorProto) { t.Int32Data = make([]int32, n) })
		}
	}
	add("O08", "a bool of 2", "neither 0 nor 1", boolean, []int64{1}, func(t *onnxpb.TensorProto) { t.RawData = []byte{2} })
	add("O09", "15 bytes of float64", "asks for 16", onnxpb.TensorProto_DOUBLE, two, raw(15))
	add("O10", "2^40 strings", "asks for", word, []int64{1 << 40}, func(t *onnxpb.TensorProto) { t.StringData = [][]byte{{'a'}} })
	add("O10", "strings in raw_data", "strings in raw_data", word, []int64{1}, func(t *onnxpb.TensorProto) { t.RawData = []byte("a") })
	return list
}

// elements are attacks by tensors, as an initializer and where readers forget to look.
func elements() []Model {
	var list []Model
	for _, b := range Tensors() {
		list = append(list, wrong(b.ID, b.Name, b.Says, func() *onnxpb.ModelProto { return Identity(b.Tensor) }))
	}
	for _, index := range []struct {
		name string
		dims []int64
		at   []int64
	}{{"above", []int64{1}, []int64{8}}, {"below", []int64{1}, []int64{-1}}, {"above, by axes", []int64{1, 2}, []int64{0, 4}}, {"below, by axes", []int64{1, 2}, []int64{-1, 0}}} {
		list = append(list, wrong("O07", "a sparse index "+index.name, "outside of dims", func() *onnxpb.ModelProto {
			m := Good()
			m.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{
				Values:  &onnxpb.TensorProto{Name: proto.String("s"), Dims: []int64{1}, DataType: proto.Int32(float), FloatData: []float32{1}},
				Indices: &onnxpb.TensorProto{Dims: index.dims, DataType: proto.Int32(int64s), Int64Data: index.at},
				Dims:    []int64{8, 4}[:len(index.at)],
			}}
			return m
		}))
	}
	bad := &onnxpb.TensorProto{Name: proto.String("x"), Dims: []int64{4}, DataType: proto.Int32(float), RawData: make([]byte, 15)}
	for _, h := range Hiding(bad) {
		list = append(list, wrong("O07", "15 bytes in "+h.Where, "15 bytes", func() *onnxpb.ModelProto { return h.Model }))
	}
	return list
}
