// Package pacbayes trains classifiers by a PAC-Bayes bound.
package pacbayes
