package noise

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// Emit adds nodes that make the key's first uniform numbers in the given shape, the same as Uniform does. It takes some
// twenty nodes and a few hundred bytes, whatever the shape.
func Emit(b *op.Builder, k Key, dims ...int64) *onnx.Value {
	count, err := onnx.ElementCount(dims)
	if err != nil || count > prime {
		b.Fail("noise of shape %v: at most 2^31 - 1 numbers", dims)
		return nil
	}
	e := emitter{b}
	return e.first(e.scalar(int64(k.a)), e.scalar(int64(k.b)), count, dims)
}

// EmitChannels adds nodes that make what Emit makes of the given shape [1,C,...], but for the named channels alone: the result's axis 1
// has those, in their order.
func EmitChannels(b *op.Builder, k Key, channels []int, dims ...int64) *onnx.Value {
	count, err := onnx.ElementCount(dims)
	if err != nil || count > prime || len(dims) < 2 || dims[0] != 1 || len(channels) == 0 {
		b.Fail("noise of %d channels of shape %v: wants [1,C,...] of at most 2^31 - 1 numbers", len(channels), dims)
		return nil
	}
	e := emitter{b}
	each := count / dims[1]
	starts := make([]int64, len(channels))
	for i, c := range channels {
		if c < 0 || int64(c) >= dims[1] {
			b.Fail("noise of channel %d of shape %v: there is none", c, dims)
			return nil
		}
		starts[i] = int64(c) * each
	}
	index := b.Add(b.Reshape(b.Ints(starts...), -1, 1), b.Range(e.scalar(0), e.scalar(each), e.scalar(1)))
	return b.Reshape(e.uniform(e.scalar(int64(k.a)), e.scalar(int64(k.b)), index), append([]int64{1, int64(len(channels))}, dims[2:]...)...)
}

// emitter writes the generator's arithmetic as nodes.
type emitter struct{ *op.Builder }

func (e emitter) scalar(v int64) *onnx.Value { return e.Const(onnx.Scalar(v)) }

func (e emitter) mod(x *onnx.Value) *onnx.Value { return e.Mod(x, e.scalar(prime)) }

func (e emitter) power5(x *onnx.Value) *onnx.Value {
	square := e.mod(e.Mul(x, x))
	return e.mod(e.Mul(e.mod(e.Mul(square, square)), x))
}

// first gives the first numbers of a key's sequence in a shape of so many elements.
func (e emitter) first(a, b *onnx.Value, count int64, dims []int64) *onnx.Value {
	return e.Reshape(e.uniform(a, b, e.Range(e.scalar(0), e.scalar(count), e.scalar(1))), dims...)
}

// uniform gives the numbers of a key's sequence at the indexes.
func (e emitter) uniform(a, b, index *onnx.Value) *onnx.Value {
	u := e.Cast(e.Div(e.bits(a, b, index), e.scalar(1<<dropped)), onnx.Float)
	return e.Mul(e.Add(u, e.Const(onnx.Scalar(float32(0.5)))), e.Const(onnx.Scalar(float32(scale))))
}

// bits is the function of that name, of keys and indexes that broadcast.
func (e emitter) bits(a, b, index *onnx.Value) *onnx.Value {
	x := e.power5(e.mod(e.Add(e.Mul(index, e.scalar(spread)), a)))
	return e.power5(e.mod(e.Add(x, b)))
}

// Streams are keys of several streams at a step that a graph is given.
type Streams struct{ a, b *onnx.Value }

// EmitStreams adds nodes that make NewKey(seed, stream, step) of each stream, with the step an int64 of one element that is not
// negative.
func EmitStreams(b *op.Builder, seed uint64, streams []string, step *onnx.Value) Streams {
	starts, crosses := make([]int64, len(streams)), make([]int64, len(streams))
	for i, name := range streams {
		k := streamKey(seed, name)
		starts[i], crosses[i] = int64(k.a), int64(k.b)
	}
	e := emitter{b}
	k := Streams{b.Ints(starts...), b.Ints(crosses...)}
	low, high := b.Mod(step, e.scalar(1<<16)), b.Div(step, e.scalar(1<<16))
	for _, w := range []*onnx.Value{low, e.mod(high)} {
		k.a, k.b = e.bits(k.a, k.b, w), e.bits(k.b, k.a, e.mod(e.Add(w, e.scalar(crossed))))
	}
	return k
}

// EmitUniform adds nodes that make the first uniform numbers of the sequence of a stream in the given shape, the same as Uniform
// does.
func (k Streams) EmitUniform(b *op.Builder, stream int64, dims ...int64) *onnx.Value {
	count, err := onnx.ElementCount(dims)
	if err != nil || count > prime {
		b.Fail("noise of shape %v: at most 2^31 - 1 numbers", dims)
		return nil
	}
	e := emitter{b}
	return e.first(k.pick(b, k.a, stream), k.pick(b, k.b, stream), count, dims)
}

// EmitNormal adds nodes that make the first normal numbers of the sequence of a stream, float[n]: Normal's, but for the last bits, since
// logarithm and cosine are float32's here.
func (k Streams) EmitNormal(b *op.Builder, stream, n int64) *onnx.Value {
	pairs := b.Split(k.EmitUniform(b, stream, (n+1)/2, 2), 1, 1, 1)
	if b.Err() != nil {
		return nil
	}
	radius := b.Sqrt(b.Mul(b.Log(pairs[0]), b.Const(onnx.Scalar(float32(-2)))))
	angle := b.Mul(pairs[1], b.Const(onnx.Scalar(float32(2*math.Pi))))
	both := b.Reshape(b.Concat(1, b.Mul(radius, b.Cos(angle)), b.Mul(radius, b.Sin(angle))), -1)
	if n%2 == 0 {
		return both
	}
	return b.Split(both, 0, n, 1)[0]
}

// pick is the part of a stream.
func (Streams) pick(b *op.Builder, of *onnx.Value, stream int64) *onnx.Value {
	return b.Gather(of, emitter{b}.scalar(stream), 0)
}

// EmitBelow adds nodes that tell, for each element of a value of x's shape, whether the uniform number at its index in the
// sequence of a stream is below p.
func (k Streams) EmitBelow(b *op.Builder, stream int64, p float64, x *onnx.Value) *onnx.Value {
	if !(p >= 0 && p <= 1) {
		b.Fail("probability %v, want one in [0,1]", p)
		return nil
	}
	e := emitter{b}
	count := b.Node("Size", []*onnx.Value{x}, 1)[0]
	x31 := e.bits(k.pick(b, k.a, stream), k.pick(b, k.b, stream), b.Range(e.scalar(0), count, e.scalar(1)))
	limit := int64(math.Ceil(p*(1<<(31-dropped))-0.5)) << dropped // Float is below p where bits are below this
	return b.ReshapeTo(b.Less(x31, e.scalar(limit)), b.Shape(x))
}
