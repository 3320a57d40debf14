package cli

import (
	"os"

	"graft/training/dataset"
)

func (r *trainRun) reader() *dataReader { return &dataReader{r.call, r.contract} }

// readData reads what the run trains and evaluates on.
func (r *trainRun) readData() error {
	reader := r.reader()
	config, err := reader.readConfig()
	if err != nil {
		return err
	}
	if err := r.readVocabulary(&config); err != nil {
		return refused(r.dir, err)
	}
	train, err := reader.readSet(r.List("data"), config)
	if err != nil {
		return err
	}
	r.classes, r.vocabulary = train.classes, train.vocabulary
	chosen, err := r.sampleChoice()
	if err == nil {
		err = chosen.choose(train)
	}
	if err != nil {
		return err
	}
	val, err := r.readVal(train, config)
	if err != nil {
		return err
	}
	reader.warnEmpty(train)
	if r.normalized, err = reader.standardized(chosen, train, val); err != nil {
		return err
	}
	if r.data, err = train.batches(dataset.BatchConfig{Size: train.size(int64(r.Int("batch"))), Partial: train.fixed == 0, Seed: r.Common.Seed}); err != nil {
		return err
	}
	if n := int64(r.Int("batch")); train.fixed > 0 && n > 0 && n != train.fixed {
		return misuse("--batch %d: the model has its batch fixed at %d; graft artifacts --free-batch frees it", n, train.fixed)
	}
	if err := r.augment(); err != nil {
		return err
	}
	if val == nil {
		return nil
	}
	r.checks = &trainChecks{}
	if r.checks.data, err = val.batches(dataset.BatchConfig{Size: val.size(r.data.Size()), Partial: val.fixed == 0, Ordered: true}); err != nil {
		return err
	}
	if left := r.checks.data.Samples() % max(r.checks.data.Size(), 1); val.fixed > 0 && left > 0 {
		r.Say("%d samples at the end of --val do not fill a batch of %d and are left out", left, val.fixed)
	}
	return nil
}

// augment has the pictures that the run trains on moved.
func (r *trainRun) augment() error {
	a, err := dataset.ParseAugmentation(r.List("augment"))
	if err != nil {
		return misuse("--augment: %v", err)
	}
	if a.IsZero() {
		return nil
	}
	if len(r.contract.Inputs) != 1 {
		return misuse("--augment is for models with one input, this one has %d", len(r.contract.Inputs))
	}
	if err := r.data.Augment(r.contract.Inputs[0].Name, a); err != nil {
		return misuse("--augment: %v", err)
	}
	r.augmented = a
	return nil
}

// readVal is the set of --val: nil without one.
func (r *trainRun) readVal(train *sampleSet, config dataset.ReadConfig) (*sampleSet, error) {
	s := r.Text("val")
	if s == "" {
		return nil, nil
	}
	part, err := parseFraction(s)
	if _, missing := os.Stat(s); err == nil && missing != nil {
		if part <= 0 || part >= 1 {
			return nil, misuse("--val %s: wants a file, a folder, or a fraction in (0, 1)", quote(s))
		}
		val, err := train.split(part, r.Common.Seed)
		if err != nil {
			return nil, misuse("--val: %v", err)
		}
		return val, nil
	}
	config.Test, config.Classes, config.Vocabulary = true, train.classes, train.vocabulary
	return r.reader().readSet([]string{s}, config)
}
