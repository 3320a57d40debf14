package training_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"graft/training"
)

// TestSchedulesAgainstPyTorch holds every schedule to PyTorch's rates, made by testdata/peers/schedules.py.
func TestSchedulesAgainstPyTorch(t *testing.T) {
	data, err := os.ReadFile("../testdata/goldens/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Rate      float64
		Steps     int64
		Schedules []struct {
			Name              string
			Warmup, Every     int64
			Min, Gamma, Power float64
			Rates             []float64
		}
		Plateaus []struct {
			Gamma, Min    float64
			Patience      int64
			Losses, Rates []float64
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{"plateau": len(golden.Plateaus) > 0}
	for _, c := range golden.Schedules {
		names[c.Name] = true
		s, err := training.FindSchedule(c.Name)
		if err != nil {
			t.Fatal(err)
		}
		rates, err := s.Rates(training.ScheduleConfig{Rate: golden.Rate, Steps: golden.Steps, Warmup: c.Warmup, Min: c.Min, Every: c.Every, Gamma: c.Gamma, Power: c.Power})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.Rates {
			if got := rates(int64(i + 1)); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s, warmup %d: step %d: %.15g, PyTorch has %.15g", c.Name, c.Warmup, i+1, got, want)
				break
			}
		}
	}
	for _, c := range golden.Plateaus {
		p := training.NewPlateau()
		for i, loss := range c.Losses {
			before := p.Factor
			reduced := p.See(loss, c.Gamma, c.Patience, c.Min/golden.Rate)
			if got := golden.Rate * p.Factor; math.Abs(got-c.Rates[i]) > 1e-12 || reduced != (p.Factor < before) {
				t.Errorf("plateau %+v: loss %d: %g, PyTorch has %g", c, i, got, c.Rates[i])
			}
		}
	}
	for _, name := range training.ScheduleNames() {
		if !names[name] {
			t.Errorf("schedule %s is held against nothing", name)
		}
	}
}

func TestScheduleRefusals(t *testing.T) {
	s, err := training.FindSchedule("step")
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]training.ScheduleConfig{
		"not above 0": {Steps: 5},
		"warmup of 5": {Rate: 1, Steps: 5, Warmup: 5},
		"least rate":  {Rate: 1, Steps: 5, Min: 2},
		"factor in":   {Rate: 1, Steps: 5, Gamma: 1},
	} {
		if _, err := s.Rates(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := training.FindSchedule("cosin"); err == nil || !strings.Contains(err.Error(), "linear, cosine") {
		t.Error(err)
	}
	rates, err := s.Rates(training.ScheduleConfig{Rate: 1, Steps: 9})
	if err != nil || rates(3) != 1 || math.Abs(rates(4)-0.1) > 1e-15 {
		t.Errorf("by default a third of the run: %v", err)
	}
}
