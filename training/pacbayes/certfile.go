package pacbayes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
	"graft/training"
)

// A certificate file is safetensors: for every parameter its posterior's deviations and its prior's mean, float, and the
// logarithms of the prior's scales, double, one for each parameter in the order of the model's initializers, or one. What it says
// is JSON in the metadata's key "certificate".
const (
	suffixSigma     = ".sigma"
	suffixPriorMean = ".prior_mean"
	keyCertificate  = "certificate"
	keyRecord       = "record"
)

// Record is what a certificate file says beside its tensors.
type Record struct {
	Format  int       `json:"format"` // 1
	Prior   Prior     `json:"prior"`
	Grid    ScaleGrid `json:"grid"`
	Weights string    `json:"weights"` // SHA-256 of the posterior's mean
	Data    string    `json:"data"`    // SHA-256 of the samples
	// Part is the fraction of the data that was set apart, by PartSeed, for the prior and for statistics of norms; the certificate
	// is on the rest. 0: nothing was.
	Part     float64 `json:"part,omitempty"`
	PartSeed uint64  `json:"part_seed,omitempty"`
	PriorOf  string  `json:"prior_of"`         // where the prior's mean is from, in words
	Freeze   string  `json:"freeze,omitempty"` // pattern of the parameters that have no noise
	Reading  Reading `json:"reading"`
}

// Reading is how the samples were read.
type Reading struct {
	Label  string    `json:"label,omitempty"`
	Mean   []float64 `json:"mean,omitempty"`
	Std    []float64 `json:"std,omitempty"`
	Length int64     `json:"length,omitempty"`
	Words  int64     `json:"words,omitempty"`

	// What was drawn from the samples of the files by Seed: so many, or so many of each class. 0: all are taken.
	Samples  int64  `json:"samples,omitempty"`
	PerClass int64  `json:"per_class,omitempty"`
	Seed     uint64 `json:"seed,omitempty"`
}

// EncodeCertificate is the file.
func (g *Gibbs) EncodeCertificate(c *Certificate, r Record) ([]byte, error) {
	r.Format, r.Prior, r.Grid, r.Weights = 1, g.Prior, g.Grid, HashWeights(g.Gated.Packing().Unpack(g.Mean))
	metadata := map[string]string{"producer": "graft"}
	for key, of := range map[string]any{keyCertificate: c, keyRecord: r} {
		data, err := json.Marshal(of)
		if err != nil {
			return nil, err
		}
		metadata[key] = string(data)
	}
	var tensors []*onnx.Tensor
	for _, k := range []struct {
		of     *onnx.Tensor
		suffix string
	}{{g.Sigma, suffixSigma}, {g.Initial, suffixPriorMean}} {
		for _, t := range g.Gated.Packing().Unpack(k.of) {
			t.Name += k.suffix
			tensors = append(tensors, t)
		}
	}
	scales := onnx.FromSlice(g.LogScale)
	scales.Name = namePrior
	return safetensors.Encode(append(tensors, scales), metadata)
}

// File is a certificate file that has been read.
type File struct {
	Certificate Certificate
	Record      Record
	name        string
	tensors     map[string]*onnx.Tensor
}

// ReadCertificate reads a file. Its tensors are looked at by Gibbs.
func ReadCertificate(path string) (*File, error) {
	tensors, metadata, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{name: path, tensors: map[string]*onnx.Tensor{}}
	for _, t := range tensors {
		f.tensors[t.Name] = t
	}
	if err := f.read(metadata); err != nil {
		return nil, limits.InFile(path, err)
	}
	return f, nil
}

func (f *File) read(metadata map[string]string) error {
	for key, to := range map[string]any{keyCertificate: &f.Certificate, keyRecord: &f.Record} {
		if metadata[key] == "" {
			return limits.Refuse("", "has no %s: it is no certificate", key)
		}
		if err := json.Unmarshal([]byte(metadata[key]), to); err != nil {
			return limits.Refuse(key, "%v", err)
		}
	}
	r := &f.Record
	switch {
	case r.Format != 1:
		return limits.Refuse("format", "is %d, this program reads 1", r.Format)
	case r.Grid.Points < 1 || !(r.Grid.Step > 0) || math.IsInf(r.Grid.Step, 0) || math.IsInf(r.Grid.Low, 0) || math.IsNaN(r.Grid.Low):
		return limits.Refuse("grid", "is %v", r.Grid)
	case !(r.Part >= 0 && r.Part < 1):
		return limits.Refuse("part", "is %g", r.Part)
	case f.Certificate.Draws < 1 || f.Certificate.Draws > 1<<20:
		return limits.Refuse("draws", "are %d", f.Certificate.Draws)
	case f.Certificate.Block < 0:
		return limits.Refuse("block", "is %d", f.Certificate.Block)
	}
	if err := CheckDelta(f.Certificate.Delta); err != nil {
		return limits.Refuse("delta", "%v", err)
	}
	return nil
}

// Gibbs is the posterior of the file for the network of gated, whose weights are its mean; ErrOtherWeights where they are not.
func (f *File) Gibbs(gated *training.Gated) (*Gibbs, error) {
	g := &Gibbs{Gated: gated}
	err := g.decode(f.tensors, &f.Record)
	switch {
	case errors.Is(err, ErrOtherWeights):
		return nil, err
	case err != nil:
		return nil, limits.InFile(f.name, err)
	}
	return g, nil
}

func (g *Gibbs) decode(of map[string]*onnx.Tensor, r *Record) error {
	var err error
	if g.Mean, err = g.Gated.Initial(); err != nil {
		return err
	}
	if HashWeights(g.Gated.Packing().Unpack(g.Mean)) != r.Weights {
		return ErrOtherWeights
	}
	l, err := newLayout(g.Gated.Parameters(), r.Prior)
	if err != nil {
		return limits.Refuse("prior", "%v", err)
	}
	g.Groups, g.Prior, g.Grid = l.groups, r.Prior, r.Grid
	if g.Sigma, err = l.weights.Pack(func(name string) *onnx.Tensor { return of[name+suffixSigma] }); err != nil {
		return limits.Refuse("deviations", "are not those of the model: %v", err)
	}
	if g.Initial, err = l.weights.Pack(func(name string) *onnx.Tensor { return of[name+suffixPriorMean] }); err != nil {
		return limits.Refuse("prior mean", "is not that of the model: %v", err)
	}
	for i, s := range g.Sigma.Float32s() {
		if !(s > 0) || math.IsInf(float64(s), 0) {
			return limits.Refuse("deviations", "element %d is %g", i, s)
		}
	}
	if i := slices.IndexFunc(g.Initial.Float32s(), func(x float32) bool { return x-x != 0 }); i >= 0 {
		return limits.Refuse("prior mean", "element %d is %g", i, g.Initial.Float32s()[i])
	}
	scales := of[namePrior]
	if scales == nil || scales.DType != onnx.Double || scales.Len() != int64(len(g.Groups)) {
		return limits.Refuse(namePrior, "wants %d of double", len(g.Groups))
	}
	g.LogScale = slices.Clone(onnx.Read[float64](scales))
	for _, b := range g.LogScale {
		if !g.Grid.On(b) {
			return limits.Refuse(namePrior, "%g is not on the grid that is paid for", b)
		}
	}
	return nil
}

// ErrOtherWeights is that a certificate is of other weights than the model's.
var ErrOtherWeights = errors.New("the certificate is of other weights than the model's")

// HashWeights is the SHA-256 of named tensors, in order: names, dims and elements.
func HashWeights(tensors []*onnx.Tensor) string {
	sum := sha256.New()
	for _, t := range tensors {
		fmt.Fprintf(sum, "%s %v\n", t.Name, t.Dims)
		sum.Write(t.Data)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// ReadDeviations are the posterior's deviations in a certificate file, by the parameter's name.
func ReadDeviations(path string) (map[string]*onnx.Tensor, error) {
	tensors, _, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	of := map[string]*onnx.Tensor{}
	for _, t := range tensors {
		name, is := strings.CutSuffix(t.Name, suffixSigma)
		if !is {
			continue
		}
		if t.DType != onnx.Float {
			return nil, limits.InFile(path, limits.Refuse(limits.Name(t.Name), "is %v, deviations are float", t.DType))
		}
		if i := slices.IndexFunc(t.Float32s(), func(s float32) bool { return !(s > 0) || math.IsInf(float64(s), 0) }); i >= 0 {
			return nil, limits.InFile(path, limits.Refuse(limits.Name(t.Name), "element %d is %g, deviations are positive", i, t.Float32s()[i]))
		}
		of[name] = t
	}
	if len(of) == 0 {
		return nil, limits.InFile(path, limits.Refuse("", "has no deviations: it is no certificate of graft train --method pac-bayes"))
	}
	return of, nil
}
