package training

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// blockElements is how many elements of a state the update works on at a time. With a packed vector of 11 million elements
// Adam takes 161 ms in one go, and 73, 76, 91 and 113 ms in blocks of 16, 32, 64 and 128 thousand (two threads, ONNX
// Runtime 1.28; with half a million 3.2, 2.7, 2.6, 2.8 and 3.8 ms).
const blockElements = 1 << 15

// ownElements is from what size on a parameter has rows of its own. Below, what it costs to copy it in and out of the common
// rows is less than what a Scan costs.
const ownElements = 1 << 16

// bucket are parameters that are updated together, as rows of elements: one parameter, whose rows divide it, so that nothing
// is copied; or all that are small, packed, zeros at the end.
type bucket struct {
	name        string // of its parameters' input
	members     []int  // positions in the packing
	rows, block int64
	alone       bool
}

// buckets divides the parameters.
func (p *Packing) buckets() []bucket {
	var out []bucket
	small, n := bucket{name: packedState}, int64(0)
	for i, name := range p.names {
		size := p.offsets[i+1] - p.offsets[i]
		if rows := dividing(size); size >= ownElements && rows > 0 {
			out = append(out, bucket{name: name, members: []int{i}, rows: rows, block: size / rows, alone: true})
			continue
		}
		small.members = append(small.members, i)
		n += size
	}
	if len(small.members) > 0 {
		small.rows = max(1, (n+blockElements-1)/blockElements)
		small.block = max(1, (n+small.rows-1)/small.rows+15) / 16 * 16
		out = append(out, small)
	}
	return out
}

// dividing is the number of equal rows of n elements that are nearest to a block, and at most four times larger or smaller; 0
// where nothing divides n so.
func dividing(n int64) int64 {
	best, distance := int64(0), math.Inf(1)
	for rows := max(1, n/(4*blockElements)); rows <= n*4/blockElements; rows++ {
		if n%rows != 0 {
			continue
		}
		if d := math.Abs(math.Log(float64(n/rows) / blockElements)); d < distance {
			best, distance = rows, d
		}
	}
	return best
}

// size is the number of elements of the bucket's parameters.
func (k *bucket) size(p *Packing) int64 {
	n := int64(0)
	for _, i := range k.members {
		n += p.offsets[i+1] - p.offsets[i]
	}
	return n
}

// cut gives the bucket's parameters out of its rows.
func (k *bucket) cut(b *op.Builder, p *Packing, rows *onnx.Value) []*onnx.Value {
	if k.alone {
		return []*onnx.Value{b.Reshape(rows, p.dims[k.members[0]]...)}
	}
	var sizes []int64
	for _, i := range k.members {
		sizes = append(sizes, p.offsets[i+1]-p.offsets[i])
	}
	if pad := k.rows*k.block - k.size(p); pad > 0 {
		sizes = append(sizes, pad)
	}
	parts := []*onnx.Value{b.Reshape(rows, -1)}
	if len(sizes) > 1 {
		parts = b.Split(parts[0], 0, sizes...)
	}
	out := make([]*onnx.Value, len(k.members))
	for j, i := range k.members {
		if b.Err() != nil {
			return nil
		}
		out[j] = b.Reshape(parts[j], p.dims[i]...)
	}
	return out
}

// join makes the bucket's rows of vectors, one for each parameter of the packing.
func (k *bucket) join(b *op.Builder, p *Packing, parts []*onnx.Value) *onnx.Value {
	if k.alone {
		return b.Reshape(parts[k.members[0]], k.rows, k.block)
	}
	var own []*onnx.Value
	for _, i := range k.members {
		own = append(own, parts[i])
	}
	if pad := k.rows*k.block - k.size(p); pad > 0 {
		own = append(own, b.ConstantOfShape(b.Ints(pad), onnx.NewTensor(onnx.Float, 1)))
	}
	v := own[0]
	if len(own) > 1 {
		v = b.Concat(0, own...)
	}
	return b.Reshape(v, k.rows, k.block)
}

// home is where a bucket's part of a packed tensor lies: in place where it is one parameter, else in rows of its own.
func (k *bucket) home(p *Packing, packed *onnx.Tensor) *onnx.Tensor {
	if k.alone {
		i := k.members[0]
		return &onnx.Tensor{DType: onnx.Float, Dims: []int64{k.rows, k.block}, Data: packed.Data[4*p.offsets[i] : 4*p.offsets[i+1]]}
	}
	out := onnx.NewTensor(onnx.Float, k.rows, k.block)
	rest := out.Data
	for _, i := range k.members {
		rest = rest[copy(rest, packed.Data[4*p.offsets[i]:4*p.offsets[i+1]]):]
	}
	return out
}

// put copies the bucket's rows to where they belong in a packed tensor, as far as they do not lie there.
func (k *bucket) put(p *Packing, packed, rows *onnx.Tensor) {
	rest := rows.Data
	for _, i := range k.members {
		to := packed.Data[4*p.offsets[i] : 4*p.offsets[i+1]]
		if len(to) > 0 && &to[0] != &rest[0] {
			copy(to, rest)
		}
		rest = rest[len(to):]
	}
}
