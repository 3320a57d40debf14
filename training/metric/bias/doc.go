// Package bias measures social bias of language models on published benchmarks: StereoSet, CrowS-Pairs, SEAT and WEAT,
// WinoBias, and templates of occupations. It reads the benchmarks' files, says what a model has to be asked, and scores the
// answers with bootstrap confidence intervals. Models are whatever implements Masked, Causal or Encoder.
//
//	set, err := bias.ReadStereoSet("stereoset_dev_clean.jsonl")
//	if err != nil {
//		return err
//	}
//	recorded, err := bias.ReadPredictions("predictions.json")
//	if err != nil {
//		return err
//	}
//	outcome := set.Score(recorded.Scores)
//	result := outcome.Result(bias.Resampling{Seed: 1})
//	fmt.Printf("SS %.2f, LMS %.2f, ICAT %.2f\n", result.Score, *result.LMS, *result.ICAT)
//
// Sources: Nadeem, Bethke and Reddy 2021 (StereoSet); Nangia et al. 2020 (CrowS-Pairs); Caliskan, Bryson and Narayanan 2017
// (WEAT); May et al. 2019 (SEAT); Zhao et al. 2018 (WinoBias). Scores follow the evaluation programs that the authors
// published; where a program and its paper differ, the program is followed and the difference is said beside the function.
//
// A row of a file that is malformed is skipped, and is listed with its line and the reason.
package bias
