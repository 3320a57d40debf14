package bilevel

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"graft/onnx"
	"graft/onnx/atomicfile"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
)

// A checkpoint is one file of safetensors: the parameters, what the rule keeps of them and the duals, all double; the rest is JSON in the
// metadata's key "training".
const keyTraining = "training"

// kept is the JSON.
type kept struct {
	Format      int     `json:"format"` // 1
	Step        int     `json:"step"`
	Mean        float64 `json:"mean"`
	First       float64 `json:"first"`
	Fingerprint string  `json:"fingerprint"` // of config and pairs
}

// fingerprint tells trainings apart that do not go on alike. More steps at a constant rate go on.
func (t *trainer) fingerprint() string {
	if t.print != "" {
		return t.print
	}
	c := t.TrainConfig
	if c.Decay == 1 {
		c.Steps = 0
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%T %+v\n", c.Form, c)
	for _, v := range [][]float64{t.pairs.Noisy, t.pairs.Truth} {
		sum.Write(onnx.FromSlice(v, int64(len(v))).Data)
	}
	t.print = hex.EncodeToString(sum.Sum(nil))
	return t.print
}

// tensors are the state's numbers, by name.
func (t *trainer) tensors() map[string][]float64 {
	of := map[string][]float64{"parameters": t.parameters, "duals": t.duals}
	for i, s := range t.slots {
		of[fmt.Sprintf("slot%d", i)] = s
	}
	return of
}

// names are those of tensors, in the file's order.
func (t *trainer) names() []string {
	names := []string{"parameters"}
	for i := range t.slots {
		names = append(names, fmt.Sprintf("slot%d", i))
	}
	if t.duals != nil {
		names = append(names, "duals")
	}
	return names
}

func (t *trainer) save(path string) error {
	if path == "" {
		return nil
	}
	data, err := json.Marshal(kept{Format: 1, Step: t.step, Mean: t.mean, First: t.first, Fingerprint: t.fingerprint()})
	if err != nil {
		return err
	}
	of := t.tensors()
	var tensors []*onnx.Tensor
	for _, name := range t.names() {
		v := onnx.FromSlice(of[name], int64(len(of[name])))
		v.Name = name
		tensors = append(tensors, v)
	}
	return atomicfile.Write(path, 0o666, func(w io.Writer) error {
		return safetensors.Write(w, tensors, map[string]string{"producer": "graft", keyTraining: string(data)})
	})
}

// resume goes on from the file, if it is there.
func (t *trainer) resume(path string) error {
	if path == "" {
		return nil
	}
	tensors, metadata, err := safetensors.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return limits.InFile(path, t.restore(tensors, metadata))
}

func (t *trainer) restore(tensors []*onnx.Tensor, metadata map[string]string) error {
	var k kept
	if err := json.Unmarshal([]byte(metadata[keyTraining]), &k); err != nil {
		return limits.Refuse(keyTraining, "is no state of a training: %v", err)
	}
	switch {
	case k.Format != 1:
		return limits.Refuse("format", "is %d, this program reads 1", k.Format)
	case k.Step < 0 || k.Mean-k.Mean != 0 || k.First-k.First != 0:
		return limits.Refuse(keyTraining, "step %d, mean %g", k.Step, k.Mean)
	case k.Fingerprint != t.fingerprint():
		return limits.Refuse("", "is of a training with other settings or other pairs: name another file, or remove it")
	case k.Step > t.Steps:
		return limits.Refuse("", "is at step %d, %d are wanted", k.Step, t.Steps)
	}
	of := t.tensors()
	found := map[string]*onnx.Tensor{}
	for _, f := range tensors {
		found[f.Name] = f
	}
	for _, name := range t.names() {
		f := found[name]
		if f == nil || f.DType != onnx.Double || f.Len() != int64(len(of[name])) {
			return limits.Refuse(name, "wants %d of double", len(of[name]))
		}
		v := onnx.Read[float64](f)
		for i, e := range v {
			if e-e != 0 {
				return limits.Refuse(name, "element %d is %g", i, e)
			}
		}
		copy(of[name], v)
	}
	t.step, t.mean, t.first = k.Step, k.Mean, k.First
	return nil
}
