// Package prosocial has the steps by which a language model is made less biased, and kept so: counterfactual data (Zhao et al. 2018,
// Zmigrod et al. 2019, Webster et al. 2020), and projections of embeddings, INLP (Ravfogel et al. 2020) and SentenceDebias (Liang et
// al. 2020).
//
//	words, err := prosocial.Gender()
//	if err != nil {
//		return err
//	}
//	swapped := words.Swap("She asked her brother whether the book was his.")
//	fmt.Println(swapped.Text) // He asked his sister whether the book was hers.
package prosocial
