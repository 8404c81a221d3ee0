"""Words that French speakers use as passwords most, beside those that zxcvbn knows already (functional.md O26)."""

from __future__ import annotations

_WORDS = """
motdepasse monmotdepasse motdepass password passe secret azerty azertyuiop qsdfghjklm wxcvbn azer qwerty qwertz
azertyuiopqsdfghjklm aqwzsx bonjour bonsoir salut coucou bienvenue aurevoir merci soleil etoile lune arcenciel doudou
loulou nounours poussin chouchou cheri cherie monamour amour jetaime jetadore bisous bisou coeur monange ange princesse
prince marseille paris lyon toulouse nantes bordeaux lille strasbourg rennes nice france allezlesbleus allezlom bretagne
football foot rugby basket handball natation psg juventus barcelone zidane ronaldo mbappe messi neymar chocolat caramel
vanille fraise cerise banane nutella pizza fromage chien chat cheval poney lapin tigre lion dauphin licorne panda dragon
camille nicolas thomas julien alexandre sebastien olivier romain maxime antoine valentin guillaume florian benjamin
clement quentin kevin vincent mathieu jeremy anthony lucas hugo enzo louis nathan theo leo jules gabriel raphael arthur
marie julie laura manon sarah marine pauline mathilde celine emilie aurelie caroline charlotte chloe lea emma jade louise
alice lina ines maman papa mamie papy tonton famille enfants mesenfants frere soeur bebe college lycee ecole maternelle
primaire cantine vacances recreation maitresse professeur educonnect pronote moncompte compte identifiant internet
ordinateur telephone iphone samsung orange sfr free facebook instagram snapchat tiktok youtube minecraft fortnite roblox
pokemon naruto starwars harrypotter playstation nintendo doremi abracadabra trucmuche machin anniversaire noel janvier
fevrier mars avril mai juin juillet aout septembre octobre novembre decembre lundi mardi mercredi jeudi vendredi samedi
dimanche printemps automne hiver
"""

COMMON = frozenset(_WORDS.split())
"""In the form of :func:`hub.accounts.passwords.folded`: lower case, no accent, letters and digits only."""
