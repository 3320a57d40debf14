package autodiff

import (
	"graft/onnx"
	"graft/onnx/winograd"
)

func fitsWinograd(l layer) bool {
	return len(l.kernel) == 2 && all(l.kernel, 3) && all(l.strides, 1) && all(l.dilations, 1) && l.group == 1 && l.sized() && all(l.rests, 0)
}

func paysWinograd(l layer) bool {
	batch := int64(0)
	if l.single {
		batch = 1
	}
	return winograd.Pays(batch, l.c, l.o, l.places())
}

// weightByWinograd takes 16 products a tile of 2x2 outputs.
func (b *Builder) weightByWinograd(x, dy *onnx.Value, l layer) *onnx.Value {
	return winograd.Weight(b.Builder, x, dy, l.c, l.o, winograd.Plane{Height: l.out[0], Width: l.out[1]})
}
