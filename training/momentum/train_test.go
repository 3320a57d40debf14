package momentum

import (
	"errors"
	"math"
	"slices"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training"
)

// clouds is a problem of three classes that a small network learns.
func clouds(t *testing.T) *Problem {
	t.Helper()
	const n = 90
	x, labels := onnx.NewTensor(onnx.Float, n, 4), onnx.NewTensor(onnx.Int64, n)
	noise.Normal(x.Float32s(), noise.NewKey(6, "clouds", 0))
	for i := range labels.Int64s() {
		labels.Int64s()[i] = int64(i % 3)
		x.Float32s()[4*i+i%3] += 3
	}
	m, err := graphs.MLP{In: 4, Hidden: []int64{8}, Classes: 3}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	return &Problem{Network: m, Data: batches(t, x, labels, 30), Ordered: batches(t, x, labels, 90), Test: batches(t, x, labels, 40)}
}

func method(t *testing.T, name string) Method {
	t.Helper()
	m, err := FindMethod(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every method learns; a run is a function of its seed; and what is measured is of the model that is handed out.
func TestTrain(t *testing.T) {
	p, with := clouds(t), Run{Session: runtimetest.OneThread(t)}
	for _, m := range Methods {
		c := Config{Heavy: Heavy{Rate: 0.1, Beta: 0.5}, Method: m, Strength: m.Usual, Steps: 60, Seed: 3}
		trained, err := p.Train(t.Context(), c, with)
		if err != nil {
			t.Fatal(err)
		}
		scores, err := trained.Scores(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if first := trained.Samples[0].Loss; scores.TrainLoss > first/2 || scores.TrainAccuracy < 0.85 || *scores.TestLoss != scores.TrainLoss && math.Abs(*scores.TestLoss-scores.TrainLoss) > 1e-9 {
			t.Errorf("%s: from loss %g to %+v", m.Name, first, *scores)
		}
		again, err := p.Train(t.Context(), c, with)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(again.Snapshot.Trained.Float32s(), trained.Snapshot.Trained.Float32s()) {
			t.Errorf("%s: a second run ends elsewhere", m.Name)
		}
		if m.Name != "noise" {
			continue
		}
		c.Seed++
		if other, err := p.Train(t.Context(), c, with); err != nil || slices.Equal(other.Snapshot.Trained.Float32s(), trained.Snapshot.Trained.Float32s()) {
			t.Errorf("noise of another seed is the same (%v)", err)
		}
	}
}

// Flatness is that of the landscape at the trained weights, which are the handed-out model's.
func TestFlatness(t *testing.T) {
	p, with := clouds(t), Run{Session: runtimetest.OneThread(t)}
	trained, err := p.Train(t.Context(), Config{Heavy: Heavy{Rate: 0.1, Beta: 0.9}, Method: Methods[0], Steps: 40}, with)
	if err != nil {
		t.Fatal(err)
	}
	flat, err := trained.Flatness(t.Context(), FlatnessConfig{Probes: 200})
	if err != nil {
		t.Fatal(err)
	}
	land, err := training.NewLandscape(trained.Model(), training.LandscapeConfig{Loss: crossEntropy(t), Data: p.Ordered, Session: with.Session})
	if err != nil {
		t.Fatal(err)
	}
	defer land.Close()
	_, g, err := land.Slopes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g2, trace, squares := 0.0, 0.0, 0.0
	for i, x := range g {
		g2 += x * x
		unit := make([]float64, len(g))
		unit[i] = 1
		column, err := land.Product(t.Context(), unit)
		if err != nil {
			t.Fatal(err)
		}
		trace += column[i]
		for _, h := range column {
			squares += h * h
		}
	}
	if math.Abs(flat.Gradient2-g2) > 1e-5*g2 {
		t.Errorf("|gradient|² %g, want %g", flat.Gradient2, g2)
	}
	if math.Abs(flat.Trace-trace) > 4*flat.TraceSE || math.Abs(flat.Frobenius-math.Sqrt(squares)) > 4*flat.FrobeniusSE || !flat.Converged {
		t.Errorf("%+v, want trace %g and Frobenius norm %g", *flat, trace, math.Sqrt(squares))
	}
	if !(flat.Sharpness > flat.Smallest) || flat.Sharpness > math.Sqrt(squares) {
		t.Errorf("%+v, the Frobenius norm is %g", *flat, math.Sqrt(squares))
	}
}

// A run that diverges says at which step; what is no training is refused.
func TestTrainRefuses(t *testing.T) {
	p, with := clouds(t), Run{Session: runtimetest.OneThread(t)}
	var diverged *training.DivergedError
	_, err := p.Train(t.Context(), Config{Heavy: Heavy{Rate: 1e30}, Method: Methods[0], Steps: 50}, with)
	if !errors.As(err, &diverged) || diverged.Step < 1 {
		t.Errorf("a rate of 1e30: %v", err)
	}
	for _, c := range []Config{
		{Heavy: Heavy{Rate: 0.1}, Method: Methods[0]},
		{Heavy: Heavy{Rate: 0.1, Beta: 1}, Method: Methods[0], Steps: 1},
		{Heavy: Heavy{Rate: 0.1}, Method: method(t, "sam"), Strength: -1, Steps: 1},
	} {
		if _, err := p.Train(t.Context(), c, with); err == nil {
			t.Errorf("%+v is taken", c.Heavy)
		}
	}
}
