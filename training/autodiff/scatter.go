package autodiff

import "graft/onnx"

// placing is a Scatter: it writes updates into x at places, element by element along an axis or slice by slice.
type placing struct {
	*Builder
	node    *onnx.Node
	x, at   *onnx.Value
	updates *onnx.Value
}

// read gives, for each update, v's element at its place.
func (p placing) read(v *onnx.Value) *onnx.Value {
	if p.node.Op == "ScatterND" {
		return p.typed(p.GatherND(v, p.at, 0), p.updates)
	}
	return p.typed(p.GatherElements(v, p.at, p.axis()), p.updates)
}

// write puts updates into v at their places.
func (p placing) write(v, updates *onnx.Value, reduction string) *onnx.Value {
	if p.node.Op == "ScatterND" {
		return p.ScatterND(v, p.at, updates, reduction)
	}
	return p.ScatterElements(v, p.at, updates, p.axis(), reduction)
}

func (p placing) axis() int64 { return onnx.AttrOr(p.node, "axis", int64(0)) }

// gradScatter is the rule of ScatterElements and ScatterND: y = x with updates u put in place, or joined with what is there.
// With [dy] for the elements of dy at the places of the updates:
//
//	none      dx = dy, zeros at the places   du = [dy]; places do not repeat, as the standard asks
//	add       dx = dy                        du = [dy]
//	mul       dx = dy prod u                 du = [dy x] prod of the other updates there
//	max, min  dy goes to those of x and u that equal y, in equal parts
func gradScatter(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	p, d := placing{b, n, n.Input(0), n.Input(1), n.Input(2)}, dy[0]
	switch reduction := onnx.AttrOr(n, "reduction", "none"); reduction {
	case "none":
		out := []*onnx.Value{nil, nil, p.read(d)}
		if b.Wants(0) {
			out[0] = p.write(d, b.zerosLike(p.updates), "none")
		}
		return out
	case "add":
		return []*onnx.Value{d, nil, p.read(d)}
	case "mul":
		return p.gradMul(d)
	case "max", "min":
		return p.gradExtreme(d)
	default:
		b.Fail("reduction %q is not known", reduction)
		return nil
	}
}

func (p placing) gradMul(d *onnx.Value) []*onnx.Value {
	out := make([]*onnx.Value, 3)
	if p.Wants(0) {
		out[0] = p.Mul(d, p.write(p.fillLike(p.x, 1), p.updates, "mul"))
	}
	if p.Wants(2) {
		reduce := func(name string, v *onnx.Value) *onnx.Value {
			if name == "ReduceProd" {
				return p.write(p.fillLike(p.x, 1), v, "mul")
			}
			return p.write(p.zerosLike(p.x), v, "add")
		}
		out[2] = p.Mul(p.read(p.Mul(d, p.x)), p.others(p.updates, reduce, p.read))
	}
	return out
}

func (p placing) gradExtreme(d *onnx.Value) []*onnx.Value {
	y := p.node.Output(0)
	own := p.castLike(p.Equal(p.x, y), d)
	theirs := p.castLike(p.Equal(p.updates, p.read(y)), d)
	share := p.Div(d, p.write(own, theirs, "add"))
	return []*onnx.Value{p.Mul(own, share), nil, p.Mul(theirs, p.read(share))}
}
