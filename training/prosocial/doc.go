// Package prosocial has the steps by which a language model is made less biased, and kept so: counterfactual data (Zhao et al. 2018,
// Zmigrod et al. 2019, Webster et al. 2020), projections of embeddings, INLP (Ravfogel et al. 2020) and SentenceDebias (Liang et
// al. 2020), and ProSocialTuning (arXiv 2406.04146), which tunes a debiased model for a task without its bias coming back.
//
//	words, err := prosocial.Gender()
//	if err != nil {
//		return err
//	}
//	swapped := words.Swap("She asked her brother whether the book was his.")
//	fmt.Println(swapped.Text) // He asked his sister whether the book was hers.
//
// ProSocialTuning is RunChain; each of its phases stands alone as well:
//
//	debiased, err := network.Tune(ctx, counterfactual, prosocial.Tuning{Task: language.FillMask, Steps: 1000, Rate: 1e-3})
//	...
//	selected, err := prosocial.Selection{By: prosocial.ByChange}.Select(before, after) // effects of heads, by Mediator
//	widths, err := tuned.Widths(ctx, task, prosocial.Posterior{Steps: 300, Samples: 2000})
//	kept, err := debiased.Tune(ctx, task, prosocial.Tuning{Task: language.TextClassification, Penalty: penalty, ...})
//
// What of it was published: the five phases; that heads are found by causal mediation, that those of the debiased model are compared
// with those of the pretrained one, and that heads whose bias is gone are regularised; that their weights come from a PAC-Bayes
// posterior learned behind the training, a wide one meaning that a head matters less; the ablations. The paper's formulas were not at
// hand, and these steps are reconstructions, each an option:
//
//   - which effect counts (Selection.Ratio), and what makes a head one that induces bias (Threshold, Top);
//   - how the two models are compared: the difference of two sets, or the heads whose effect fell most (Selection.By);
//   - what an intervention puts in the place of an occupation (Intervention): a man or a woman, as Vig et al. 2020 do, or an occupation
//     of the other gender. Counterfactual data does not take the gender out of "man", nor should it;
//   - that all of a head's output is patched, at all tokens;
//   - the penalty sum_h r_h |w_h - a_h|^2 around the debiased weights, biases and output columns included, and r by Weighting:
//     uniform, in proportion to sigma, or to its rank;
//   - the posterior: a fixed prior of the mean magnitude of each tensor, a fixed gamma, no K (Posterior), and the mean of sigma over a
//     head's parameters (Widths.Of);
//   - whether tables of embeddings are tuned (ChainConfig.FreezeWords). PAC-tuning, by some of the same authors, leaves them.
package prosocial
