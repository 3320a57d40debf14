package oes

import (
	"context"
	"fmt"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training"
	"graft/training/metric"
)

// ZScale bounds the generator's input: z is uniform on (0, 0.1) [paper's code].
const ZScale = 0.1

// Problem is one image to be drawn by one network.
type Problem struct {
	Network *onnx.Model  // input z, output image float [1,C,H,W]; its initializers are the initialization
	Z       *onnx.Tensor // the network's input, fixed throughout
	Noisy   *onnx.Tensor // target, float [1,C,H,W], padded to the network's size; with Observe what that gives
	// Observe makes of the drawn image what is compared with Noisy (package degrade); nil: the image itself.
	Observe func(b *op.Builder, image *onnx.Value) *onnx.Value
	Clean   *onnx.Tensor // the same without noise; nil when it is not known
	Region  Region       // where the image lies in the padded frame; PSNR is taken there
}

// Region is a rectangle of pixels.
type Region struct{ X, Y, Width, Height int }

// Run says where sessions run and who is told.
type Run struct {
	Session runtime.Options
	// Progress is told after every step; nil: nobody. psnr is NaN where it was not taken.
	Progress func(step, steps int64, loss, psnr float64)
	// Seen is given what the network draws after every number of updates but the last, in order, valid during the call; nil: nobody. An error ends the
	// run.
	Seen func(step int64, image func() (*onnx.Tensor, error)) error
	// Save is given the state every SaveEvery steps and when the run is cut short; nil: nothing is saved.
	Save      func(step *training.Step, snap *training.Snapshot, samples []Sample) error
	SaveEvery int64
	// Resume gives a state to continue from, or nil to begin.
	Resume func(step *training.Step) (*training.Snapshot, []Sample, error)
}

// Sample is a point of the curves: what the network draws after that many updates.
type Sample struct {
	Step    int64   `json:"step"`
	Loss    float64 `json:"loss"`
	PSNR    float64 `json:"psnr"` // NoPSNR when the clean image is not known
	Seconds float64 `json:"seconds"`
}

// NoPSNR stands for a PSNR that cannot be taken (JSON has no NaN).
const NoPSNR = -1

// Every is how often curves are sampled, in steps, for every method alike.
const Every = 25

// NewZ draws the generator's input: uniform on (0, ZScale), the same numbers that an exported model makes inside the file.
func NewZ(seed uint64, dims ...int64) *onnx.Tensor {
	z := onnx.NewTensor(onnx.Float, dims...)
	data := z.Float32s()
	noise.Uniform(data, ZKey(seed))
	for i := range data {
		data[i] *= ZScale
	}
	return z
}

// ZKey is the key of the sequence that z is drawn from.
func ZKey(seed uint64) noise.Key { return noise.NewKey(seed, "z", 0) }

// psnr compares a drawn image with the clean one inside the region, range 1, unclipped; NoPSNR without a clean image.
func (p *Problem) psnr(image *onnx.Tensor) float64 {
	if p.Clean == nil {
		return NoPSNR
	}
	return RegionPSNR(image, p.Clean, p.Region)
}

// Pixels are those of an image [1,C,H,W] inside the region, plane by plane.
func (r Region) Pixels(t *onnx.Tensor) []float32 {
	height, width := int(t.Dims[2]), int(t.Dims[3])
	inside := make([]float32, 0, int(t.Dims[1])*r.Height*r.Width)
	for c := range int(t.Dims[1]) {
		for row := r.Y; row < r.Y+r.Height; row++ {
			inside = append(inside, t.Float32s()[(c*height+row)*width+r.X:][:r.Width]...)
		}
	}
	return inside
}

// RegionPSNR is the peak signal-to-noise ratio of two images [1,C,H,W] inside a region, for a range of 1.
func RegionPSNR(a, b *onnx.Tensor, r Region) float64 { return metric.PSNR(r.Pixels(a), r.Pixels(b)) }

// Draw runs a network once on the problem's z.
func (p *Problem) Draw(ctx context.Context, m *onnx.Model, o runtime.Options) (*onnx.Tensor, error) {
	data, err := m.Encode()
	if err != nil {
		return nil, err
	}
	session, err := runtime.Open(data, o)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	feeds := map[string]*onnx.Tensor{}
	if in := session.Inputs(); len(in) > 0 {
		feeds[in[0].Name] = p.Z
	}
	out, err := session.Run(ctx, feeds)
	if err != nil {
		return nil, err
	}
	for _, t := range out {
		return t, nil
	}
	return nil, fmt.Errorf("draw: the network has no output")
}

// loss is the mean squared error of an image to what is observed.
func (p *Problem) loss(ctx context.Context, image *onnx.Tensor, o runtime.Options) (float64, error) {
	if p.Observe == nil {
		return metric.MSE(image.Float32s(), p.Noisy.Float32s()), nil
	}
	b := op.NewBuilder(onnx.NewGraph("observe"))
	seen := p.Observe(b, b.Graph().AddInput("image", image.Type()))
	if err := b.Err(); err != nil {
		return 0, err
	}
	b.Graph().AddOutput(b.Identity(seen), "seen")
	b.Graph().AssignNames()
	data, err := (&onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: b.Graph()}).Encode()
	if err != nil {
		return 0, err
	}
	session, err := runtime.Open(data, o)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	got, err := session.Run(ctx, map[string]*onnx.Tensor{"image": image})
	if err != nil {
		return 0, err
	}
	return metric.MSE(got["seen"].Float32s(), p.Noisy.Float32s()), nil
}

// constants are the inputs of a training step that never change.
func (p *Problem) constants() map[string]*onnx.Tensor {
	c := map[string]*onnx.Tensor{training.InputTarget: p.Noisy}
	for _, in := range p.Network.Graph.Inputs() {
		c[in.Name] = p.Z
	}
	return c
}
