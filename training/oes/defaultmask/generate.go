//go:build ignore

// Generate learns a default mask: one mask for each picture, on the picture with noise of 0.1 and its longer side of --side pixels,
// from the weights of seed 0; the mean of their probabilities of being kept says which weights stay. What was learned of a picture
// lies in --work, so that a run that was cut off goes on.
//
//	go run training/oes/defaultmask/generate.go --name quick --work DIR rocket.jpg coins.png brick.png gravel.png
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/safetensors"
	"graft/runtime"
	"graft/training"
	"graft/training/dataset"
	"graft/training/oes"
	"graft/training/oes/defaultmask"
)

var (
	name     = flag.String("name", "quick", "of the file that is written, NAME.mask")
	channels = flag.String("channels", "16,32,64,64", "widths of the network's scales")
	side     = flag.Int("side", 128, "longer side of the pictures in pixels")
	steps    = flag.Int64("steps", 1500, "of learning a picture's mask")
	sparsity = flag.Float64("sparsity", 0.95, "fraction of the weights that is removed")
	threads  = flag.Int("threads", 1, "of a session")
	work     = flag.String("work", "", "folder of what is learned of each picture")
	out      = flag.String("out", "training/oes/defaultmask", "folder of the file")
	protect  = []string{"s0.up.bn.weight", "s0.up.bn.bias", "out.conv.weight", "out.conv.bias"}
)

func main() {
	flag.Parse()
	if flag.NArg() == 0 || *work == "" {
		fmt.Fprintln(os.Stderr, "usage: generate --work DIR PICTURE ...")
		os.Exit(2)
	}
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(pictures []string) error {
	if err := os.MkdirAll(*work, 0o755); err != nil {
		return err
	}
	var mean []float32
	var packing *training.Packing
	for _, path := range pictures {
		logits, p, err := learned(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if mean == nil {
			mean, packing = make([]float32, len(logits)), p
		}
		for i, l := range logits {
			mean[i] += float32(1/(1+math.Exp(-float64(l)))) / float32(len(pictures))
		}
	}
	at, body := int64(0), int64(0)
	for i, name := range packing.Names() {
		n, _ := onnx.ElementCount(packing.Dims(i))
		for _, whole := range protect {
			for j := at; name == whole && j < at+n; j++ {
				mean[j] = float32(math.Inf(1))
			}
		}
		if at += n; !strings.HasPrefix(name, "out.conv.") {
			body = at
		}
	}
	keep, err := masking.TopK(mean, masking.KeepCount(at, *sparsity), 0)
	if err != nil {
		return err
	}
	data, err := defaultmask.Pack(keep[:body])
	if err != nil {
		return err
	}
	file := filepath.Join(*out, *name+".mask")
	fmt.Printf("%s: %d bytes\n", file, len(data))
	return os.WriteFile(file, data, 0o644)
}

// learned gives the logits of a picture's mask, from its file or by learning them.
func learned(path string) ([]float32, *training.Packing, error) {
	p, err := problem(path)
	if err != nil {
		return nil, nil, err
	}
	packing, err := training.NewPacking(training.Parameters(p.Network.Graph))
	if err != nil {
		return nil, nil, err
	}
	base := filepath.Join(*work, *name+"-"+strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	if f, err := safetensors.Open(base + ".safetensors"); err == nil {
		defer f.Close()
		t, err := f.Tensor("logits")
		if err != nil {
			return nil, nil, err
		}
		return t.Float32s(), packing, nil
	}
	begun := time.Now()
	mask, err := p.LearnMask(context.Background(), oes.MaskConfig{Keep: 1 - *sparsity, Strength: 1, Steps: *steps}, oes.Run{
		Session: runtime.Options{Threads: *threads}, SaveEvery: 100,
		Progress: func(step, steps int64, loss, psnr float64) {
			if step%100 == 0 {
				fmt.Printf("%s: step %d of %d, loss %.4f, %.0f s\n", path, step, steps, loss, time.Since(begun).Seconds())
			}
		},
		Save: func(step *training.Step, snap *training.Snapshot, samples []oes.Sample) error {
			return step.SaveCheckpoint(base, snap, samples)
		},
		Resume: func(step *training.Step) (*training.Snapshot, []oes.Sample, error) {
			var samples []oes.Sample
			snap, err := step.LoadCheckpoint(base, nil, &samples)
			if errors.Is(err, training.ErrNoCheckpoint) {
				return nil, nil, nil
			}
			return snap, samples, err
		},
	})
	if err != nil {
		return nil, nil, err
	}
	t := mask.Logits.Clone()
	t.Name = "logits"
	data, err := safetensors.Encode([]*onnx.Tensor{t}, nil)
	if err != nil {
		return nil, nil, err
	}
	return t.Float32s(), packing, os.WriteFile(base+".safetensors", data, 0o644)
}

// problem is the picture in colours, with noise.
func problem(path string) (*oes.Problem, error) {
	m, err := dataset.ReadImage(path)
	if err != nil {
		return nil, err
	}
	if m, err = m.RGB().Resize(*side); err != nil {
		return nil, err
	}
	pix := make([]float32, len(m.Pix))
	noise.Normal(pix, noise.NewKey(0, "noise", 0))
	for i, v := range m.Pix {
		pix[i] = min(max(v+0.1*pix[i], 0), 1)
	}
	if m, err = m.WithPix(pix); err != nil {
		return nil, err
	}
	network := graphs.Hourglass{}
	for width := range strings.SplitSeq(*channels, ",") {
		n, err := strconv.ParseInt(width, 10, 64)
		if err != nil {
			return nil, err
		}
		network.Channels = append(network.Channels, n)
	}
	padded, _, err := m.PadToMultiple(int(network.Multiple()))
	if err != nil {
		return nil, err
	}
	network.Height, network.Width = int64(padded.Height), int64(padded.Width)
	p := &oes.Problem{Noisy: padded.Tensor(), Z: oes.NewZ(0, 1, network.Defaults().In, network.Height, network.Width)}
	p.Network, err = network.Build(0)
	return p, err
}
