package pacbayes

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
	"graft/training"
	"graft/training/dataset"
)

// A certificate file is safetensors: for every parameter its posterior's deviations and its prior's mean, float, and the
// logarithms of the prior's scales, double, one for each parameter in the order of the model's initializers, or one. What it says
// is JSON in the metadata's key "certificate".
const (
	SuffixSigma     = ".sigma"
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
	PriorOf  string  `json:"prior_of"` // where the prior's mean is from, in words
	Reading  Reading `json:"reading"`
}

// Reading is how the samples were read.
type Reading struct {
	Label  string    `json:"label,omitempty"`
	Mean   []float64 `json:"mean,omitempty"`
	Std    []float64 `json:"std,omitempty"`
	Length int64     `json:"length,omitempty"`
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
	}{{g.Sigma, SuffixSigma}, {g.Initial, suffixPriorMean}} {
		for _, t := range g.Gated.Packing().Unpack(k.of) {
			t.Name += k.suffix
			tensors = append(tensors, t)
		}
	}
	scales := onnx.FromSlice(g.LogScale)
	scales.Name = namePrior
	return safetensors.Encode(append(tensors, scales), metadata)
}

// DecodeCertificate reads a file for the network of gated, whose weights are the posterior's mean; name stands in errors.
func DecodeCertificate(data []byte, name string, gated *training.Gated) (*Gibbs, *Certificate, *Record, error) {
	tensors, metadata, err := safetensors.Decode(data, name)
	if err != nil {
		return nil, nil, nil, err
	}
	g, c, r := &Gibbs{Gated: gated}, &Certificate{}, &Record{}
	if err := g.decode(tensors, metadata, c, r); err != nil {
		if errors.Is(err, ErrOtherWeights) {
			return nil, c, r, err
		}
		return nil, nil, nil, limits.InFile(name, err)
	}
	return g, c, r, nil
}

func (g *Gibbs) decode(tensors []*onnx.Tensor, metadata map[string]string, c *Certificate, r *Record) error {
	for key, to := range map[string]any{keyCertificate: c, keyRecord: r} {
		if metadata[key] == "" {
			return limits.Refuse("", "has no %s: it is no certificate", key)
		}
		d := json.NewDecoder(bytes.NewReader([]byte(metadata[key])))
		if err := d.Decode(to); err != nil {
			return limits.Refuse(key, "%v", err)
		}
	}
	if r.Format != 1 {
		return limits.Refuse("format", "is %d, this program reads 1", r.Format)
	}
	if r.Grid.Points < 1 || !(r.Grid.Step > 0) || math.IsInf(r.Grid.Low, 0) || math.IsNaN(r.Grid.Low) {
		return limits.Refuse("grid", "is %v", r.Grid)
	}
	of := map[string]*onnx.Tensor{}
	for _, t := range tensors {
		of[t.Name] = t
	}
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
	if g.Sigma, err = l.weights.Pack(func(name string) *onnx.Tensor { return of[name+SuffixSigma] }); err != nil {
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

// HashData is the SHA-256 of samples as the model is given them, in order.
func HashData(data *dataset.Batches) (string, error) {
	sum := sha256.New()
	for step := int64(1); step <= data.PerEpoch(); step++ {
		given, err := data.At(step)
		if err != nil {
			return "", err
		}
		n := int(data.Count(step))
		var names []string
		for name := range given {
			names = append(names, name)
		}
		slices.Sort(names)
		for i := range n { // sample by sample: the same whatever the batches are
			for _, name := range names {
				t := given[name]
				width := len(t.Data) / n
				var size [8]byte
				binary.LittleEndian.PutUint64(size[:], uint64(width))
				sum.Write(size[:])
				sum.Write(t.Data[i*width : (i+1)*width])
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
