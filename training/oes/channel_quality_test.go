package oes_test

import (
	"flag"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"graft/graphs"
	"graft/masking"
	"graft/onnx/noise"
	"graft/training/dataset"
	"graft/training/oes"
)

var (
	quality         = flag.String("quality", "", "fractions of channels removed that TestChannelQuality compares methods at, as 0.5,0.75")
	qualityMask     = flag.Int64("quality-mask-steps", 1000, "steps of mask learning")
	qualityTrain    = flag.Int64("quality-train-steps", 1500, "steps of training")
	qualityStrength = flag.Float64("quality-strength", 0.3, "weight of the penalty, times the number of gates")
	qualitySide     = flag.Int("quality-side", 64, "side of the pictures")
)

// photo is the problem of drawing the middle of a photograph with noise of a standard deviation of 0.1.
func photo(t *testing.T, file string, side int, seed uint64) *oes.Problem {
	t.Helper()
	m, err := dataset.ReadImage(filepath.Join("../../testdata/images", file))
	if err != nil {
		t.Fatal(err)
	}
	least := min(m.Width, m.Height)
	if m, err = m.RGB().Crop((m.Width-least)/2, (m.Height-least)/2, least, least); err != nil {
		t.Fatal(err)
	}
	if m, err = m.Resize(side); err != nil {
		t.Fatal(err)
	}
	size := int64(side)
	net, err := graphs.Hourglass{Channels: []int64{16, 32, 64, 64}, Height: size, Width: size}.Build(seed)
	if err != nil {
		t.Fatal(err)
	}
	p := &oes.Problem{Network: net, Z: oes.NewZ(seed, 1, 32, size, size), Clean: m.Tensor(), Noisy: m.Tensor(), Region: oes.Region{Width: side, Height: side}}
	draw := make([]float32, p.Noisy.Len())
	noise.Normal(draw, noise.NewKey(seed, "noise", 0))
	for i, x := range p.Noisy.Float32s() {
		p.Noisy.Float32s()[i] = min(max(x+0.1*draw[i], 0), 1)
	}
	return p
}

// TestChannelQuality compares methods of removing channels at the same count, over the photographs of testdata: the PSNR where training ends,
// and how much of its peak it has lost by then. It decides nothing; -quality 0.5 asks for it.
func TestChannelQuality(t *testing.T) {
	if *quality == "" {
		t.Skip("without -quality")
	}
	files := []string{"astronaut.png", "camera.png", "chelsea.png", "coffee.png"}
	run := session(t)
	final, lost, order := map[string][]float64{}, map[string][]float64{}, []string(nil)
	enter := func(name, file string, fit *oes.Fit, begun time.Time, weights int64) {
		peak := math.Inf(-1)
		for _, s := range fit.Samples {
			peak = max(peak, s.PSNR)
		}
		end := fit.Samples[len(fit.Samples)-1].PSNR
		if final[name] == nil {
			order = append(order, name)
		}
		final[name], lost[name] = append(final[name], end), append(lost[name], peak-end)
		fmt.Printf("%-24s %-14s %7d weights: peak %.2f, final %.2f dB, loss %.5f, %.0f s\n", name, file, weights, peak, end, fit.Samples[len(fit.Samples)-1].Loss, time.Since(begun).Seconds())
	}
	for i, file := range files {
		p := photo(t, file, *qualitySide, uint64(i+1))
		begun := time.Now()
		fit, err := p.Fit(t.Context(), oes.FitConfig{Steps: *qualityTrain, Rate: 1e-3}, run)
		if err != nil {
			t.Fatal(err)
		}
		enter("dense", file, fit, begun, weightsOf(p))
		for text := range strings.SplitSeq(*quality, ",") {
			removed, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			choice := masking.ChannelChoice{Sparsity: removed, Seed: uint64(i + 1)}
			fit := func(name string, choose func() (*masking.Set, error)) {
				begun := time.Now()
				set, err := choose()
				if err != nil {
					t.Fatal(err)
				}
				small, err := p.Smaller(set)
				if err != nil {
					t.Fatal(err)
				}
				fit, err := small.Fit(t.Context(), oes.FitConfig{Steps: *qualityTrain, Rate: 1e-2}, run)
				if err != nil {
					t.Fatal(err)
				}
				enter(name+" "+text, file, fit, begun, weightsOf(small))
			}
			fit("oes", func() (*masking.Set, error) {
				mask, err := p.LearnMask(t.Context(), oes.MaskConfig{Gate: oes.Channel, Keep: 1 - removed, Strength: *qualityStrength, Steps: *qualityMask, Seed: uint64(i + 1)}, run)
				if err != nil {
					return nil, err
				}
				return mask.Choose(choice)
			})
			for _, name := range []string{"l1-norm", "random-channel"} {
				fit(name, func() (*masking.Set, error) {
					score, err := masking.FindChannelScore(name)
					if err != nil {
						return nil, err
					}
					return p.PruneChannels(t.Context(), score, choice, run)
				})
			}
		}
	}
	for _, name := range order {
		mean, err := meanError(final[name])
		loss, lossErr := meanError(lost[name])
		line := fmt.Sprintf("%-24s final %.2f +- %.2f dB, lost since its peak %.2f +- %.2f dB", name, mean, err, loss, lossErr)
		if _, fraction, ok := strings.Cut(name, " "); ok {
			var less []float64
			for i, x := range final["oes "+fraction] {
				less = append(less, x-final[name][i])
			}
			mean, err := meanError(less)
			line += fmt.Sprintf("; oes is better by %+.2f +- %.2f dB", mean, err)
		}
		fmt.Println(line)
	}
}

// meanError is the mean of numbers and its standard error.
func meanError(x []float64) (mean, standardError float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		standardError += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(standardError / float64(len(x)-1) / float64(len(x)))
}
