package degrade

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/training/setting"
)

// Observation is what is seen of a picture.
type Observation struct {
	Y *onnx.Tensor // float
	// Graph adds the same view of another picture [1,C,H,W] to a graph, without noise; nil: the picture itself.
	Graph func(b *op.Builder, image *onnx.Value) *onnx.Value
	// Plain is the picture that Y shows without any restoration, of the clean one's size.
	Plain *onnx.Tensor
	// Weight is how much each pixel counts, [1,1,H,W] in [0, 1], where some are missing; nil: all do.
	Weight *onnx.Tensor
}

// Row is a degradation of the table.
type Row struct {
	Name     string
	Doc      string
	Settings []setting.Setting
	Make     func(v setting.Values, clean *onnx.Tensor, seed uint64) (*Observation, error)
}

// Catalog lists the degradations.
var Catalog = []Row{gaussian, poisson, saltAndPepper, inpaint, superResolution, jpegArtefacts, fourier}

// Names lists their names.
func Names() []string {
	names := make([]string, len(Catalog))
	for i, r := range Catalog {
		names[i] = r.Name
	}
	return names
}

// Observe degrades a picture [1,C,H,W] in [0, 1] by a row of the table. Random numbers follow from the seed.
func Observe(name string, given map[string]float64, clean *onnx.Tensor, seed uint64) (*Observation, error) {
	i := slices.IndexFunc(Catalog, func(r Row) bool { return r.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("degradation %q: no such one, there are %s", name, strings.Join(Names(), ", "))
	}
	if len(clean.Dims) != 4 || clean.Dims[0] != 1 || clean.DType != onnx.Float || clean.Len() == 0 {
		return nil, fmt.Errorf("degrade: picture of %v, wants float [1,C,H,W]", clean.Type())
	}
	v, err := setting.Resolve(Catalog[i].Settings, given)
	if err != nil {
		return nil, fmt.Errorf("degradation %s: %w", name, err)
	}
	o, err := Catalog[i].Make(v, clean, seed)
	if err != nil {
		return nil, fmt.Errorf("degradation %s: %w", name, err)
	}
	return o, nil
}

// uniform draws a number in (0, 1) for each of n places.
func uniform(n int64, seed uint64, what string) []float32 {
	x := make([]float32, n)
	noise.Uniform(x, noise.NewKey(seed, "degrade/"+what, 0))
	return x
}

// seen is the observation of a picture that nothing but noise has changed.
func seen(y *onnx.Tensor) *Observation { return &Observation{Y: y, Plain: y} }

// clip bounds all samples to [0, 1], as files do.
func clip(t *onnx.Tensor) {
	x := t.Float32s()
	for i, v := range x {
		x[i] = max(0, min(1, v))
	}
}
