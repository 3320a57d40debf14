// Package text reads published data sets of sentences for which language models are tuned: SST-2 (Socher et al. 2013), STS-B (Cer et
// al. 2017), SNLI and MNLI (Bowman et al. 2015, Williams et al. 2018), the sentence pairs of Dev et al. 2020 that differ by occupation
// and gender, and BiasBios (De-Arteaga et al. 2019), in the layouts in which their authors, GLUE and Hugging Face hand them out.
//
//	set, err := text.STS.Read("stsbenchmark/sts-train.csv", text.Reading{})
//	if err != nil {
//		return err
//	}
//	for _, e := range set.Examples {
//		fmt.Println(e.Score, e.First, e.Second)
//	}
//
// A row that is malformed is skipped, and is listed with its line and the reason. Files are tables with tabs and without quoting,
// tables with commas and quotes, and JSON Lines; pickles and Parquet files are refused with a line that says how to convert them.
package text
