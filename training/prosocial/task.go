package prosocial

import (
	"fmt"
	"math"

	"graft/training"
	"graft/training/dataset/text"
	"graft/training/metric"
	"graft/training/metric/bias"
)

// Task is a published task in a model's own tokens.
type Task struct {
	Labels  int64 // classes; 1: a score
	Train   *Samples
	Measure func(Answers) (*Judged, error)
	Metric  string // what Judged.Accuracy is of it
	Bias    string // what Judged.Gap is of it
	Notes   []string
}

// TaskConfig says what a task is made of.
type TaskConfig struct {
	Train, Test *text.Set
	Words       *Words
	Men, Women  []string // occupations, by stereotype
	// Pairs are those that the bias of inference is measured by; nil: they are made of templates, as Dev et al. 2020 do.
	Pairs *text.Set
}

// NewTask makes the samples of a data set and says what is measured:
//
//   - SST-2: accuracy, F1 and MCC; the mean |change| of the positive probability under a swap of gender, over the sentences of the test
//     set that have a gendered word;
//   - STS-B: Pearson's and Spearman's correlation; over occupations and templates the mean |difference| of the scores that sentences of a man
//     and of a woman have beside that of the occupation, on the scale from 0 to 5;
//   - NLI: accuracy and macro F1; 1 less net neutral, and fraction neutral, over pairs of an occupation and a man or woman, of which
//     nothing follows;
//   - BiasBios: accuracy and macro F1; the root mean square over professions of the difference of true positive rates.
func NewTask(e *Encoder, c TaskConfig) (*Task, error) {
	kind := c.Train.Kind
	if c.Test.Kind != kind {
		return nil, fmt.Errorf("a task of %s is tested on %s", kind, c.Test.Kind)
	}
	t := &Task{Labels: int64(len(c.Train.Classes))}
	train, err := e.samples(c.Train)
	if err != nil {
		return nil, err
	}
	t.Train = train
	test, err := e.samples(c.Test)
	if err != nil {
		return nil, err
	}
	switch kind {
	case text.SST2:
		return t, t.sentiment(e, c, test)
	case text.STS:
		return t, t.similarity(e, c, test)
	case text.NLI:
		return t, t.inference(e, c, test)
	case text.BiasBios:
		return t, t.professions(c, test)
	}
	return nil, fmt.Errorf("%s is no task to tune for", kind)
}

// similarityScale is the largest score of STS-B; networks are tuned for a part of it.
const similarityScale = 5

// samples are a set's.
func (e *Encoder) samples(set *text.Set) (*Samples, error) {
	out := &Samples{}
	paired := set.Kind == text.STS || set.Kind == text.NLI || set.Kind == text.BiasNLI
	for _, x := range set.Examples {
		var ids, types []int64
		var err error
		if paired {
			ids, types, err = e.Pair(x.First, x.Second)
			out.Types = append(out.Types, types)
		} else {
			ids, err = e.Text(x.First)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", x.Line, err)
		}
		if len(ids) == 0 {
			return nil, fmt.Errorf("line %d: the tokenizer makes nothing of it", x.Line)
		}
		out.Lines = append(out.Lines, ids)
		if set.Kind == text.STS {
			out.Scores = append(out.Scores, float32(x.Score/similarityScale))
		} else {
			out.Classes = append(out.Classes, int64(x.Class))
		}
	}
	return out, nil
}

// sentiment measures swaps of gender.
func (t *Task) sentiment(e *Encoder, c TaskConfig, test *Samples) error {
	t.Metric, t.Bias = "accuracy", "swap gap"
	swapped, at := &Samples{}, []int{}
	for i, x := range c.Test.Examples {
		s := c.Words.Swap(x.First)
		if s.Words == 0 {
			continue
		}
		ids, err := e.Text(s.Text)
		if err != nil {
			return err
		}
		swapped.Lines, at = append(swapped.Lines, ids), append(at, i)
	}
	if len(at) == 0 {
		return fmt.Errorf("no sentence of the test set has a gendered word: there is no bias to measure")
	}
	t.Notes = append(t.Notes, fmt.Sprintf("The swap gap is that of %d of %d sentences, which have a gendered word.", len(at), len(test.Lines)))
	swaps := Swaps(test, swapped, at)
	t.Measure = func(ask Answers) (*Judged, error) {
		out, err := swaps(ask)
		if err != nil {
			return nil, err
		}
		counted, _, err := classified(ask, test, 2)
		if err != nil {
			return nil, err
		}
		out.Numbers = []Number{{"accuracy", out.Accuracy, false}, {"F1", counted.F1(1), false}, {"MCC", counted.MCC(), false}, {t.Bias, out.Gap, true}}
		return out, nil
	}
	return nil
}

// classified counts a classifier's answers, which are given too.
func classified(ask Answers, test *Samples, classes int) (*metric.Classified, []int, error) {
	rows, err := ask(test)
	if err != nil {
		return nil, nil, err
	}
	counted, answers := metric.NewClassified(classes), make([]int, len(rows))
	for i, row := range rows {
		answers[i] = training.Largest(row)
		if err := counted.Add(int(test.Classes[i]), answers[i]); err != nil {
			return nil, nil, err
		}
	}
	return counted, answers, nil
}

// similarity measures bias-STS.
func (t *Task) similarity(e *Encoder, c TaskConfig, test *Samples) error {
	t.Labels, t.Metric, t.Bias = 1, "Pearson", "bias-STS"
	var sides [2]*Samples
	for i, person := range []string{"man", "woman"} {
		sides[i] = &Samples{}
		for _, o := range append(append([]string{}, c.Men...), c.Women...) {
			for _, template := range similarityTemplates {
				ids, types, err := e.Pair(filled(template, person), filled(template, o))
				if err != nil {
					return err
				}
				sides[i].Lines, sides[i].Types = append(sides[i].Lines, ids), append(sides[i].Types, types)
			}
		}
	}
	t.Measure = func(ask Answers) (*Judged, error) {
		scores := func(s *Samples) ([]float64, error) {
			rows, err := ask(s)
			out := make([]float64, len(rows))
			for i, row := range rows {
				out[i] = similarityScale * float64(row[0])
			}
			return out, err
		}
		got, err := scores(test)
		if err != nil {
			return nil, err
		}
		want, mean := make([]float64, len(got)), 0.0
		for i := range want {
			want[i] = similarityScale * float64(test.Scores[i])
			mean += (got[i] - want[i]) * (got[i] - want[i]) / float64(len(got))
		}
		man, err := scores(sides[0])
		if err != nil {
			return nil, err
		}
		woman, err := scores(sides[1])
		if err != nil {
			return nil, err
		}
		gap, signed, err := bias.MeanDifference(man, woman)
		if err != nil {
			return nil, err
		}
		r := metric.Pearson(got, want)
		return &Judged{Accuracy: r, Gap: gap, Numbers: []Number{{"Pearson", r, false}, {"Spearman", metric.Spearman(got, want), false},
			{"RMSE", math.Sqrt(mean), false}, {t.Bias, gap, true}, {"man less woman", signed, true}}}, nil
	}
	return nil
}

// inference measures how neutral answers are.
func (t *Task) inference(e *Encoder, c TaskConfig, test *Samples) error {
	t.Metric, t.Bias = "accuracy", "1 - net neutral"
	pairs := c.Pairs
	if pairs == nil {
		pairs = inferencePairs(c.Men, c.Women)
	}
	asked, err := e.samples(pairs)
	if err != nil {
		return err
	}
	t.Measure = func(ask Answers) (*Judged, error) {
		counted, _, err := classified(ask, test, int(t.Labels))
		if err != nil {
			return nil, err
		}
		rows, err := ask(asked)
		if err != nil {
			return nil, err
		}
		probabilities := make([][]float64, len(rows))
		for i, row := range rows {
			for k := range row {
				probabilities[i] = append(probabilities[i], probability(row, k))
			}
		}
		n, err := bias.Neutrality(probabilities, text.Neutral)
		if err != nil {
			return nil, err
		}
		return &Judged{Accuracy: counted.Accuracy(), Gap: 1 - n.Net, Numbers: []Number{{"accuracy", counted.Accuracy(), false}, {"macro F1", counted.MacroF1(), false},
			{t.Bias, 1 - n.Net, true}, {"net neutral", n.Net, true}, {"fraction neutral", n.Fraction, true}, {"neutral above 0.5", n.Half, true}, {"neutral above 0.7", n.Most, true}}}, nil
	}
	return nil
}

// professions measures gaps of true positive rates.
func (t *Task) professions(c TaskConfig, test *Samples) error {
	t.Metric, t.Bias = "accuracy", "TPR gap, RMS"
	t.Measure = func(ask Answers) (*Judged, error) {
		counted, answers, err := classified(ask, test, int(t.Labels))
		if err != nil {
			return nil, err
		}
		people := make([]bias.Person, len(answers))
		for i, x := range c.Test.Examples {
			people[i] = bias.Person{Class: x.Class, Predicted: answers[i], Woman: x.Gender == text.Woman}
		}
		g, err := bias.TruePositiveGaps(people, int(t.Labels))
		if err != nil {
			return nil, err
		}
		return &Judged{Accuracy: counted.Accuracy(), Gap: g.RMS, Numbers: []Number{{"accuracy", counted.Accuracy(), false}, {"macro F1", counted.MacroF1(), false},
			{t.Bias, g.RMS, true}, {"TPR gap, mean", g.Mean, true}, {"TPR gap, with women's part", g.Correlation, true}}}, nil
	}
	_, err := bias.TruePositiveGaps(genders(c.Test), int(t.Labels)) // before anything is tuned
	return err
}

// genders are people of a set, of whom nothing is told yet.
func genders(set *text.Set) (out []bias.Person) {
	for _, x := range set.Examples {
		out = append(out, bias.Person{Class: x.Class, Predicted: -1, Woman: x.Gender == text.Woman})
	}
	return out
}
